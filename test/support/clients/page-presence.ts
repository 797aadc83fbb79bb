/**
 * Who is in a room, as a client on a page sees it: by its `Presence` object, or in the oldest by the two
 * functions that it has instead, used as its documentation says.
 *
 * Runs on: the main thread of the tests.
 */
import type { Channel, PresentAs } from "phoenix";
import { within } from "../deadline.ts";
import type { PresenceState } from "./page.ts";
import type { PageClient } from "./page-client.ts";

/** What a client sees of a room. */
export class PagePresence {
  readonly #name: string;
  readonly #metas: () => readonly PresentAs[];
  #onChange: () => void = () => undefined;

  /** Watches a channel that is not joined yet. @param name - for errors */
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

  /** Keys that it sees, in order, and how many metas each has. */
  get keys(): string[] {
    return this.#metas()
      .map(({ key, metas }) => `${String(key)} ${metas.length}`)
      .toSorted();
  }

  /** Waits until it sees just these. */
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
      await within(seen(), `${wanted}, seen by ${this.#name},`);
    } catch (cause) {
      throw new Error(`${String(cause)}; it sees ${this.keys.join()}`, { cause });
    }
  }
}

function named(key: string, { metas }: PresentAs): PresentAs {
  return { key, metas };
}
