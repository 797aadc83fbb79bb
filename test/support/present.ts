/**
 * One client of the official package in a room, and its `Presence`: who it thinks is there.
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
  /** What its callbacks were told, as `join key` and `leave key`. */
  readonly told: string[] = [];
  /** Index of the shard that it joined on. */
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

  /** Connects, joins, and waits until it sees itself there. */
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

  /** Keys that it sees, in order, each as often as it has metas. */
  get keys(): string[] {
    const lists = this.#presence.list((key, { metas }) => metas.map(() => key));
    return lists.flat().toSorted();
  }

  /** What it sees under each key. */
  list<Shown>(choose: Parameters<Presence["list"]>[0]): Shown[] {
    return this.#presence.list(choose) as Shown[];
  }

  /** Waits until what it sees is as wanted. */
  async sees(isWanted: (keys: readonly string[]) => boolean, what: string): Promise<void> {
    const seen = async (): Promise<void> => {
      while (!isWanted(this.keys)) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    };
    try {
      await within(seen(), `${what}, seen by ${this.name},`, DEADLINE_MS);
    } catch (cause) {
      throw new Error(`${String(cause)}; it sees ${this.keys.join(", ")}`, { cause });
    }
  }

  /** Waits until it sees just these. */
  async seesOnly(...keys: readonly string[]): Promise<void> {
    const wanted = keys.toSorted().join();
    await this.sees((seen) => seen.join() === wanted, `only ${wanted}`);
  }

  async disconnect(): Promise<void> {
    await disconnect(this.socket);
  }
}
