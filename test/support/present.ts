/**
 * A client of the official package in a room, with its `Presence`.
 *
 * Runs on: the main thread of the tests.
 */
import { Presence } from "phoenix";
import type { Channel, Socket } from "phoenix";
import { within } from "./deadline.ts";
import { connectPhoenix, disconnect, join } from "./phoenix-client.ts";

const DEADLINE_MS = 20_000;

/** A client in a room. */
export class Present {
  readonly name: string;
  readonly socket: Socket;
  readonly channel: Channel;
  /** Calls of its callbacks, as `join key` and `leave key`. */
  readonly told: string[] = [];
  /** Index of the shard on which it joined. */
  shard = -1;
  readonly #presence: Presence;
  #wake: () => void = () => undefined;

  private constructor(name: string, socket: Socket, channel: Channel) {
    this.name = name;
    this.socket = socket;
    this.channel = channel;
    this.#presence = new Presence(channel);
    this.#presence.onJoin((key) => void this.told.push(`join ${key}`));
    this.#presence.onLeave((key) => void this.told.push(`leave ${key}`));
    this.#presence.onSync(() => this.#wake());
  }

  /** Connects, joins, and waits until it sees itself. */
  static async join(
    port: number,
    name: string,
    topic = "room:1",
    payload: object = {},
  ): Promise<Present> {
    const present = await Present.begin(port, name, topic, payload);
    await present.sees((keys) => keys.includes(name), "itself");
    return present;
  }

  /** Connects and joins. */
  static async begin(
    port: number,
    name: string,
    topic: string,
    payload: object = {},
  ): Promise<Present> {
    const socket = await connectPhoenix(port, { user_id: name });
    const present = new Present(name, socket, socket.channel(topic, payload));
    const response = (await join(present.channel)) as { shard?: number };
    present.shard = response.shard ?? -1;
    return present;
  }

  /** The keys that it sees, sorted, each as often as it has metas. */
  get keys(): string[] {
    const lists = this.#presence.list((key, { metas }) => metas.map(() => key));
    return lists.flat().toSorted();
  }

  /** Lists what it sees for each key. */
  list<Shown>(choose: Parameters<Presence["list"]>[0]): Shown[] {
    return this.#presence.list(choose) as Shown[];
  }

  /** Waits until it sees what a test wants. */
  async sees(isWanted: (keys: readonly string[]) => boolean, what: string): Promise<void> {
    const seen = async (): Promise<void> => {
      while (!isWanted(this.keys)) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    };
    try {
      await within(seen(), `${this.name} to see ${what}`, DEADLINE_MS);
    } catch (cause) {
      throw new Error(`${String(cause)}; it sees ${this.keys.join(", ")}`, { cause });
    }
  }

  /** Waits until it sees exactly these. */
  async seesOnly(...keys: readonly string[]): Promise<void> {
    const wanted = keys.toSorted().join();
    await this.sees((seen) => seen.join() === wanted, `only ${wanted}`);
  }

  async disconnect(): Promise<void> {
    await disconnect(this.socket);
  }
}
