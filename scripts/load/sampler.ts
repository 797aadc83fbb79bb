/**
 * What a server and the machine use while the load runs, reading by reading.
 *
 * A server that tells its shards' numbers (`--stats`, or one of the benchmarks) is asked for them; what the
 * system knows of any process stands beside that.
 *
 * Runs on: the load test's process.
 */

import { readBusyNs, readMemory, readThreads, type ThreadCpu } from "./threads.ts";
import { cpuBetween, nameThreads, sumOf, type CpuShares } from "./thread-names.ts";

/** What was used between two readings, and what is held at the second. */
export interface Sample {
  /** CPU of the server's threads by name, as shares of one core. */
  readonly cpu: CpuShares;
  /** CPU of the generator, all its threads, as a share of one core. */
  readonly generatorCpu: number;
  /** CPU of all else on the machine, as a share of one core; null: not known. */
  readonly elsewhereCpu: number | null;
  /** RssAnon and RssShmem of the server's process; null: not known. */
  readonly memoryBytes: number | null;
  /** JavaScript heap in use, by shard, null while it is replaced; empty: the server does not tell. */
  readonly heapBytes: readonly (number | null)[];
  /** How late the loop of each shard ran at that moment. */
  readonly loopLagMs: readonly (number | null)[];
}

/** What is read of. */
export interface SamplerTarget {
  /** Process of the server. */
  readonly pid: number;
  /** Where it gives `server.stats()` as JSON, and `threads`: ids of its shards' threads. */
  readonly statsUrl: string | undefined;
  readonly generatorPid: number;
}

/** What of the answer of `statsUrl` is used. */
interface StatsAnswer {
  readonly shards: readonly ({ readonly heapBytes: number; readonly loopLagMs: number } | null)[];
  readonly threads?: readonly number[];
}

interface Reading {
  readonly atNs: number;
  readonly server: ReadonlyMap<number, ThreadCpu>;
  readonly generatorNs: number;
  readonly busyNs: number | null;
}

/** Longer than an answer takes; shorter than what would hold up the run. */
const STATS_DEADLINE_MS = 2_000;

/** Reads a server's figures from one interval to the next. */
export class Sampler {
  readonly #target: SamplerTarget;
  #last: Reading;
  #shardIds: readonly number[] | undefined = undefined;
  /** Why the server's own numbers are not there, where it was asked in vain. */
  statsFailure: string | undefined = undefined;

  constructor(target: SamplerTarget) {
    this.#target = target;
    this.#last = this.#read();
  }

  /** Gives what was used since the last call, or since this was made. */
  async sample(): Promise<Sample> {
    const { pid, statsUrl } = this.#target;
    const [before, after] = [this.#last, this.#read()];
    this.#last = after;
    const stats = statsUrl === undefined ? undefined : await this.#ask(statsUrl);
    const elapsedNs = after.atNs - before.atNs;
    this.#shardIds = stats?.threads ?? this.#shardIds;
    const names = nameThreads(pid, after.server, this.#shardIds);
    const cpu = cpuBetween(before.server, after.server, names, elapsedNs);
    const generatorCpu = (after.generatorNs - before.generatorNs) / elapsedNs;
    const busy =
      after.busyNs === null || before.busyNs === null
        ? null
        : (after.busyNs - before.busyNs) / elapsedNs;
    return {
      cpu,
      generatorCpu,
      // The machine counts in ticks of 10 ms, processes in nanoseconds: a little below 0 is 0.
      elsewhereCpu: busy === null ? null : Math.max(0, busy - sumOf(cpu) - generatorCpu),
      memoryBytes: readMemory(pid),
      heapBytes: stats?.shards.map((shard) => shard?.heapBytes ?? null) ?? [],
      loopLagMs: stats?.shards.map((shard) => shard?.loopLagMs ?? null) ?? [],
    };
  }

  #read(): Reading {
    const { pid, generatorPid } = this.#target;
    const generator = [...readThreads(generatorPid).values()];
    return {
      atNs: Number(process.hrtime.bigint()),
      server: readThreads(pid),
      generatorNs: generator.reduce((sum, { ranNs }) => sum + ranNs, 0),
      busyNs: readBusyNs(),
    };
  }

  async #ask(url: string): Promise<StatsAnswer | undefined> {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(STATS_DEADLINE_MS) });
      const answer = (await response.json()) as Partial<StatsAnswer>;
      if (!Array.isArray(answer.shards)) {
        throw new TypeError("the answer must have shards, as server.stats() does");
      }
      return answer as StatsAnswer;
    } catch (error) {
      this.statsFailure = `${url}: ${error instanceof Error ? error.message : String(error)}`;
      return undefined;
    }
  }
}
