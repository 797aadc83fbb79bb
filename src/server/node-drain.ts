/**
 * The drain of a node: its clients are told to come back elsewhere, in batches, until none is left.
 *
 *   serving --not ready, still takes connections--> leaving --`drainDelayMs`--> closed to new ones
 *      --sockets on their way arrive--> draining --each shard has none left, or is late--> drained
 *
 * What is left is a node without clients, which still has its threads, its host and its link: they
 * end with `close`.
 *
 * Runs on: main; once for each server.
 * Full: a shard that is not done by its time is late, and nobody waits for it; its counts are missing.
 */

import type { Logger } from "../log/logger.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { DrainPace, ShardDrain } from "../shard/control.ts";
import { AT_ONCE, planDrain, type DrainSettings } from "./drain-plan.ts";
import { ANSWER_MS, SETTLE_MS } from "./shard-restarts.ts";
import { pause } from "./time-limit.ts";

/** What a drain closed. */
export interface DrainReport {
  /** Connections that there were as it began, of all transports. */
  readonly connections: number;
  /** Of these, long-poll sessions. */
  readonly sessions: number;
  /** Channels that were joined. */
  readonly channels: number;
  /** Batches into which the connections were split. */
  readonly rounds: number;
  /** Connections that were told to come back: with 1012, or by the answer to a poll. */
  readonly closed: number;
  /** Connections that were cut, as their clients did not take their last bytes in time. */
  readonly cut: number;
  /** Connections that ended by themselves before it was their turn. */
  readonly gone: number;
  /** Channels whose `terminate` has not settled in time. */
  readonly unsettled: number;
  /** Shards that were not done in time, or ended: what they had is not counted above. */
  readonly lateShards: readonly number[];
  readonly durationMs: number;
}

/** A thread of a shard, as a drain sees it. */
export interface DrainedThread {
  readonly shard: number;
  /** Open connections, as far as it has counted. */
  readonly connections: number;
  /** True where it was not done in time: nobody is to wait for it any more. */
  isLate: boolean;
  /** Gives undefined where the thread ends first. */
  drain(pace: DrainPace): Promise<ShardDrain | undefined>;
}

/** What a drain does with threads and their deal: the supervisor and the acceptor. */
export interface DrainedNode {
  /** The node is not ready any more. */
  leave(): void;
  /** Takes no more connections and begins no more shards; gives those that have connections. */
  closeDeal(): { readonly threads: readonly DrainedThread[]; readonly hadDeal: boolean };
  /** Has no shard take any client from now on, on connections that are kept alive neither. */
  closeDoors(): void;
  /** Has all that drains done at once. */
  cut(): void;
}

/** The drain of one server. */
export class NodeDrain {
  readonly #node: DrainedNode;
  readonly #options: ResolvedOptions;
  readonly #logger: Logger;
  #drained: Promise<DrainReport> | undefined;
  #isHurried = false;
  #hasPace = false;
  #endPause: () => void = () => {};
  #shorten: (limitMs: number) => void = () => {};

  constructor(node: DrainedNode, options: ResolvedOptions, logger: Logger) {
    this.#node = node;
    this.#options = options;
    this.#logger = logger;
  }

  /** True from `run` on. */
  get hasBegun(): boolean {
    return this.#drained !== undefined;
  }

  /** Drains; called again it gives the same promise, which never rejects. */
  run(settings: DrainSettings): Promise<DrainReport> {
    this.#drained ??= this.#run(settings);
    return this.#drained;
  }

  /** Goes on without batches, and without waiting for who does not take its last bytes. */
  hurry(): void {
    this.#isHurried = true;
    this.#endPause();
    if (this.#hasPace) this.#node.cut();
    this.#shorten(this.#options.shutdownMs + ANSWER_MS);
  }

  async #run(settings: DrainSettings): Promise<DrainReport> {
    const startedMs = performance.now();
    this.#logger.log("serverDraining");
    this.#node.leave();
    if (settings.drainDelayMs > 0 && !this.#isHurried) await this.#pause(settings.drainDelayMs);
    const { threads, hadDeal } = this.#node.closeDeal();
    // Sockets may still be on their way to a shard. Nothing makes them come sooner.
    if (hadDeal) await pause(SETTLE_MS);
    const connections = threads.reduce((sum, thread) => sum + thread.connections, 0);
    const { spanMs, ...pace } = planDrain(connections, this.#isHurried ? AT_ONCE : settings);
    this.#hasPace = true;
    this.#node.closeDoors();
    const limitMs = spanMs + pace.deadlineMs + this.#options.shutdownMs + ANSWER_MS;
    const drains = await this.#drainAll(threads, { ...pace, isOfNode: true }, limitMs);
    const lateShards = threads.flatMap(({ shard }, at) => (drains[at] ? [] : [shard]));
    const sums = sumOf(drains.filter((drain) => drain !== undefined));
    const rounds = sums.connections === 0 ? 0 : pace.rounds;
    const durationMs = Math.round(performance.now() - startedMs);
    const report = { ...sums, rounds, lateShards, durationMs };
    this.#logger.log("serverDrained", report);
    return report;
  }

  async #drainAll(
    threads: readonly DrainedThread[],
    pace: DrainPace,
    limitMs: number,
  ): Promise<(ShardDrain | undefined)[]> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<undefined>((resolve) => {
      this.#shorten = (ms): void => {
        clearTimeout(timer);
        timer = setTimeout(resolve, ms, undefined);
      };
    });
    this.#shorten(limitMs);
    const drains = threads.map(async (thread) => {
      const drain = await Promise.race([thread.drain(pace), tooLate]);
      thread.isLate = drain === undefined;
      return drain;
    });
    const settled = await Promise.all(drains);
    this.#shorten = (): void => {};
    clearTimeout(timer);
    return settled;
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endPause = (): void => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

type DrainSums = Omit<DrainReport, "rounds" | "lateShards" | "durationMs">;

function sumOf(drains: readonly ShardDrain[]): DrainSums {
  const sum = (of: (drain: ShardDrain) => number): number =>
    drains.reduce((total, drain) => total + of(drain), 0);
  const connections = sum((drain) => drain.connections);
  const closed = sum((drain) => drain.closed);
  const cut = sum((drain) => drain.cut);
  return {
    connections,
    sessions: sum((drain) => drain.sessions),
    channels: sum((drain) => drain.channels),
    closed,
    cut,
    gone: connections - closed - cut,
    unsettled: sum((drain) => drain.unsettled),
  };
}
