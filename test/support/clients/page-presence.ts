/**
 * The presences of a room as seen by a client on a page: through its `Presence` class, or for the oldest client
 * through the two functions that it has instead, used as documented.
 *
 * Runs on: the main thread of the tests.
 */
import type { Channel, PresentAs } from "phoenix";
import { within } from "../deadline.ts";
import type { PresenceState } from "./page.ts";
import type { PageClient } from "./page-client.ts";

/** The presences of a room, as seen by a client. */
export class PagePresence {
  readonly #name: string;
  readonly #metas: () => readonly PresentAs[];
  #onChange: () => void = () => undefined;

  /** Observes a channel that is not joined yet. @param name - for errors */
  constructor(name: string, client: PageClient, channel: Channel) {
    this.#name = name;
    const { Presence } = client.page.phoenix;
    const changed = (): void => this.#onChange();
    if (typeof Presence !== "function") {
      let state: PresenceState = {};
      channel.on("presence_state", (payload) => {
        state = Presence.syncState(state, payload as PresenceState);
        changed();
      });
      channel.on("presence_diff", (payload) => {
        state = Presence.syncDiff(state, payload as Record<"joins" | "leaves", PresenceState>);
        changed();
      });
      this.#metas = () => Presence.list(state, named);
      return;
    }
    const presence = new Presence(channel);
    presence.onSync(changed);
    this.#metas = () => presence.list(named);
  }

  /** The keys that it sees, sorted, with the number of metas of each. */
  get keys(): string[] {
    return this.#metas()
      .map(({ key, metas }) => `${String(key)} ${metas.length}`)
      .toSorted();
  }

  /** Waits until it sees exactly these. */
  async sees(keys: readonly string[]): Promise<void> {
    const wanted = keys.toSorted().join();
    const seen = async (): Promise<void> => {
      while (this.keys.join() !== wanted) {
        await new Promise<void>((resolve) => {
          this.#onChange = resolve;
        });
      }
    };
    try {
      await within(seen(), `${this.#name} to see ${wanted}`);
    } catch (cause) {
      throw new Error(`${String(cause)}; it sees ${this.keys.join()}`, { cause });
    }
  }
}

function named(key: string, { metas }: PresentAs): PresentAs {
  return { key, metas };
}
