/**
 * The listener of a node whose shards listen themselves, on one port that they share.
 *
 * The system deals connections to those that listen on a port with SO_REUSEPORT, by a hash of the addresses. A port that
 * is shared could also be joined by another server, so main first listens on it alone for a moment. Where the system
 * cannot share a port there is one shard, and only one thread listens at a time. A listening descriptor is never passed
 * to another thread: Node.js would abort the process.
 *
 *   no shard in the deal: main listens, and answers 503
 *     |  ^
 *     |  +--the last one is removed, and stops listening
 *     v
 *   the shards in the deal listen; main stops when the first of them does (or before, if the port cannot be shared)
 *
 * Runs on: main.
 * Order: when a shard stops listening, it first accepts the connections that wait for that. The system resets those that
 *        arrive in between. Between the last shard and main, connections are refused for some milliseconds.
 * Full: a shard whose port is taken tries again until it is removed (`listening-door`).
 */

import type { EngineApp, ProxyHeaders } from "../app-port.ts";
import type { Engine } from "../engine-port.ts";
import { listenError } from "../listen-error.ts";
import type {
  ListenerParts,
  ListeningPlace,
  ListeningThread,
  NodeListener,
} from "../listener-port.ts";
import { turnAway } from "../turned-away.ts";
import { ListeningDoor } from "./listening-door.ts";

/** How often a server that starts tries to get its port for all shards. */
const MAX_ATTEMPTS = 5;
/** Main tells nobody's address, and answers 503 with and without a PROXY header. */
const OF_ANYBODY: ProxyHeaders = { versions: ["v1", "v2"], isFrom: () => true };

/** The threads that listen on a server's port. */
export class SharedPortListener implements NodeListener {
  readonly #engine: Pick<Engine, "listen" | "stopListening" | "maxShards">;
  readonly #parts: ListenerParts;
  readonly #app: EngineApp;
  readonly #main: ListeningDoor;
  readonly #doors = new Map<ListeningThread, ListeningDoor>();
  /** Settles when main has stopped listening for the last time. */
  #mainStopped: Promise<void> = Promise.resolve();
  /** Where it listens; undefined before `listen` and after `stopListening`. */
  #place: ListeningPlace | undefined;
  #isPaused = false;
  #isLeaving = false;

  constructor(
    engine: Pick<Engine, "createApp" | "listen" | "stopListening" | "maxShards">,
    parts: ListenerParts,
  ) {
    this.#engine = engine;
    this.#parts = parts;
    this.#app = engine.createApp({ ...parts.app, proxyHeaders: OF_ANYBODY });
    turnAway(this.#app, parts);
    const main = {
      listen: async (place: ListeningPlace): Promise<boolean> => this.#tryListen(place),
      stopListening: (isFull: boolean): void => this.#stopMain(isFull),
    };
    this.#main = new ListeningDoor(main, () => this.#update());
  }

  get size(): number {
    return this.#doors.size;
  }

  get isListening(): boolean {
    return this.#main.isOpen || this.#hasOpen;
  }

  get isStopped(): boolean {
    return this.#place === undefined;
  }

  add(thread: ListeningThread): void {
    if (this.#doors.has(thread)) return;
    this.#doors.set(thread, new ListeningDoor(thread, () => this.#update()));
    this.#update();
  }

  remove(thread: ListeningThread): void {
    const door = this.#doors.get(thread);
    if (!door) return;
    this.#doors.delete(thread);
    door.close(false);
    this.#update();
  }

  has(thread: ListeningThread): boolean {
    return this.#doors.has(thread);
  }

  setTurns(): void {
    // The system deals the connections.
  }

  async listen(host: string, port: number): Promise<number> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const place = await this.#findPlace(host, port);
      this.#place = place;
      if (await this.#opened()) return place.port;
      // Another program has taken the port since, or has been given it by the system.
      this.#place = undefined;
      this.#update();
    }
    throw listenError(host, port);
  }

  pause(): boolean {
    if (this.#place === undefined || this.#isPaused) return false;
    this.#isPaused = true;
    this.#update();
    return true;
  }

  async resume(): Promise<boolean> {
    this.#isPaused = false;
    return this.isStopped || this.#opened();
  }

  leave(): void {
    this.#isLeaving = true;
    this.#update();
  }

  stopListening(): void {
    this.#place = undefined;
    this.#update();
  }

  async close(): Promise<void> {
    this.stopListening();
    this.#doors.clear();
    await this.#mainStopped;
    this.#app.close();
  }

  /** Opens and closes doors, and reports whether the node is ready. */
  #update(): void {
    const place = this.#isPaused ? undefined : this.#place;
    if (place) this.#open(place);
    else for (const door of [this.#main, ...this.#doors.values()]) door.close(this.#isPaused);
    this.#parts.onReadiness(place !== undefined && this.#hasOpen && !this.#isLeaving);
  }

  #open(place: ListeningPlace): void {
    const isMainNeeded = this.size === 0 || (place.isShared && !this.#hasOpen && this.#main.isOpen);
    if (isMainNeeded) void this.#main.open(place);
    else this.#main.close(false);
    for (const door of this.#doors.values()) void door.open(place);
  }

  /** Whether a shard listens. */
  get #hasOpen(): boolean {
    return [...this.#doors.values()].some((door) => door.isOpen);
  }

  /** Opens all doors that must be open. @returns whether all are open after the first attempt */
  async #opened(): Promise<boolean> {
    this.#update();
    const place = this.#place;
    if (!place) return false;
    const doors = this.size === 0 ? [this.#main] : [...this.#doors.values()];
    const outcomes = await Promise.all(doors.map(async (door) => door.open(place)));
    return outcomes.every(Boolean);
  }

  /** Finds a port that nobody listens on. */
  async #findPlace(host: string, port: number): Promise<ListeningPlace> {
    const chosen = await this.#engine.listen(this.#app, host, port, false);
    await this.#engine.stopListening(this.#app);
    return { host, port: chosen, isShared: this.#engine.maxShards > 1 };
  }

  async #tryListen({ host, port, isShared }: ListeningPlace): Promise<boolean> {
    try {
      await this.#engine.listen(this.#app, host, port, isShared);
      return true;
    } catch {
      return false;
    }
  }

  #stopMain(isFull: boolean): void {
    this.#mainStopped = this.#engine.stopListening(this.#app, isFull);
  }
}
