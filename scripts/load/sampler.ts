/**
 * Samples the resources that a server and the machine use while the load runs.
 *
 * Shard stats are read from the server itself, if it provides them (`--stats`, or a server of the
 * benchmarks). Everything else is read from the system.
 *
 * Runs on: the load test's process.
 */

import { readBusyNs, readMemory, readThreads, type ThreadCpu } from "./threads.ts";
import { cpuBetween, nameThreads, sumOf, type CpuShares } from "./thread-names.ts";

/** The resources used between two readings, and those held at the second reading. */
export interface Sample {
  /** CPU of the server's threads by name, as shares of one core. */
  readonly cpu: CpuShares;
  /** CPU of all threads of the generator, as a share of one core. */
  readonly generatorCpu: number;
  /** CPU of all other programs, as a share of one core; null if unknown. */
  readonly elsewhereCpu: number | null;
  /** RssAnon + RssShmem of the server's process; null if unknown. */
  readonly memoryBytes: number | null;
  /** JavaScript heap in use by shard, null while a shard is being replaced; empty without stats. */
  readonly heapBytes: readonly (number | null)[];
  /** Lag of the event loop of each shard at that moment. */
  readonly loopLagMs: readonly (number | null)[];
}

/** The processes to sample. */
export interface SamplerTarget {
  /** Process id of the server. */
  readonly pid: number;
  /** URL of `server.stats()` as JSON, with `threads`: the ids of its shards' threads. */
  readonly statsUrl: string | undefined;
  readonly generatorPid: number;
}

/** The parts of the response of `statsUrl` that are used. */
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

/** More than the time of a response, but short enough not to delay the run. */
const STATS_DEADLINE_MS = 2_000;

/** Samples a server at the end of each interval. */
export class Sampler {
  readonly #target: SamplerTarget;
  #last: Reading;
  #shardIds: readonly number[] | undefined = undefined;
  /** The reason why the server's stats could not be read, if that failed. */
  statsFailure: string | undefined = undefined;

  constructor(target: SamplerTarget) {
    this.#target = target;
    this.#last = this.#read();
  }

  /** Returns the resources used since the last call, or since construction. */
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
      // The machine counts ticks of 10 ms, processes count nanoseconds, so the difference may be below 0.
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
        throw new TypeError("the response must have shards, as server.stats() does");
      }
      return answer as StatsAnswer;
    } catch (error) {
      this.statsFailure = `${url}: ${error instanceof Error ? error.message : String(error)}`;
      return undefined;
    }
  }
}
