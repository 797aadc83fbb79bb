/**
 * Drains a node: closes its connections in batches, so that clients reconnect elsewhere.
 *
 *   serving --not ready, still accepts connections--> leaving --`drainDelayMs`--> not accepting
 *      --sockets on their way arrive--> draining --each shard has none left, or is late--> drained
 *
 * A drained node has no clients, but its threads, its host and its link keep running until `close`.
 *
 * Runs on: main; one per server.
 * Full: a shard that does not finish draining in time is reported as late. The drain ends without
 *       it, and its counts are missing from the report.
 */

import type { Logger } from "../log/logger.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { DrainPace, ShardDrain } from "../shard/control.ts";
import { AT_ONCE, planDrain, type DrainSettings } from "./drain-plan.ts";
import { ANSWER_MS, SETTLE_MS } from "./shard-restarts.ts";
import { pause } from "./time-limit.ts";

/** Counts of what a drain closed. */
export interface DrainReport {
  /** Connections of all transports when the drain began. */
  readonly connections: number;
  /** Number of these connections that were long-poll sessions. */
  readonly sessions: number;
  /** Joined channels when the drain began. */
  readonly channels: number;
  /** Batches into which the connections were split. */
  readonly rounds: number;
  /** Connections that were closed normally: with 1012, or by the response to a poll. */
  readonly closed: number;
  /** Connections that were cut because their clients did not receive their last bytes in time. */
  readonly cut: number;
  /** Connections that ended on their own before it was their turn. */
  readonly gone: number;
  /** Channels whose `terminate` did not settle in time. */
  readonly unsettled: number;
  /** Shards that did not finish in time or that ended. Their connections are not counted above. */
  readonly lateShards: readonly number[];
  readonly durationMs: number;
}

/** The part of a shard's thread that a drain uses. */
export interface DrainedThread {
  readonly shard: number;
  /** Number of open connections, according to the thread's counters. */
  readonly connections: number;
  /** Whether the thread failed to finish in time, so that nothing waits for it any longer. */
  isLate: boolean;
  /** Drains the thread. Resolves with undefined if the thread ends first. */
  drain(pace: DrainPace): Promise<ShardDrain | undefined>;
}

/** The node being drained; implemented by the supervisor. */
export interface DrainedNode {
  /** Marks the node as not ready. */
  leave(): void;
  /** Stops accepting connections and starting shards. Returns the threads with connections. */
  stopAccepting(): { readonly threads: readonly DrainedThread[]; readonly wasAccepting: boolean };
  /** Makes all shards refuse clients, even on keep-alive connections. */
  refuseClients(): void;
  /** Finishes all drains immediately, by cutting connections. */
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

  /** Whether `run` has been called. */
  get hasBegun(): boolean {
    return this.#drained !== undefined;
  }

  /** Drains the node. Later calls return the same promise, which never rejects. */
  run(settings: DrainSettings): Promise<DrainReport> {
    this.#drained ??= this.#run(settings);
    return this.#drained;
  }

  /** Continues without batches, and without waiting for clients to receive their last bytes. */
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
    const { threads, wasAccepting } = this.#node.stopAccepting();
    // Accepted sockets may still be in transit to a shard, and their arrival is not reported.
    if (wasAccepting) await pause(SETTLE_MS);
    const connections = threads.reduce((sum, thread) => sum + thread.connections, 0);
    const { spanMs, ...pace } = planDrain(connections, this.#isHurried ? AT_ONCE : settings);
    this.#hasPace = true;
    this.#node.refuseClients();
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
