/**
 * The workloads of the benchmark and their budgets, in one table.
 *
 * Runs on: the bench's process.
 */

/**
 * Figures that can be compared, with their format and their relation to the figures of the bare
 * engine.
 */
export const FIGURES = {
  /** Server CPU for each message delivered. */
  cpuUsPerMessage: { unit: "µs", digits: 2, relation: "ratio" },
  /** Time for each message sent, when as many are sent as the server takes. */
  timeUsPerMessage: { unit: "µs", digits: 0, relation: "ratio" },
  /** Server memory per additional joined connection. */
  bytesPerConnection: { unit: "B", digits: 0, relation: "difference" },
  /** Time from the planned time of a send to its delivery; absent if the generator rejects it. */
  latencyP99Us: { unit: "µs", digits: 0, relation: "ratio" },
} as const;

/** Name of a figure. */
export type Figure = keyof typeof FIGURES;

/** One row of the benchmark. */
export interface Work {
  /** Title of the workload in the table. */
  readonly title: string;
  /** The generator's scenario and options. Rates are low enough that no server is saturated, except in `joins`. */
  readonly load: readonly string[];
  /** Whether the generator accepts `--duration`; the length of `connect` depends on the server. */
  readonly hasDuration: boolean;
  /** About how long a turn takes besides the measured window: start, connects, warm-up, end (s). */
  readonly besidesSeconds: number;
  /** Number of threads of the servers that have shards; other servers have one thread. */
  readonly shards: number;
  readonly figure: Figure;
  /** Largest ratio or difference to the bare engine, if there is a limit. */
  readonly budget?: number;
  /**
   * Least figure that the short form of the check takes for the bare engine's. On machines that wake threads at almost no
   * cost, the bare engine's is far below that of other machines, and a ratio says little about Simurgh.
   */
  readonly leastBare?: number;
  /**
   * The workload that this one extends, for a comparison within the same server. The two share
   * their rounds.
   */
  readonly beside?: string;
  /** Servers that it cannot be run on. */
  readonly leavesOut?: readonly string[];
}

const CONNECT = ["connect", "--connections", "15k", "--rate", "2k"] as const;
const FANOUT = ["fanout", "--connections", "2k", "--topics", "100", "--rate", "2k"] as const;

/**
 * 2 MB per second to each client. A client that does not read exceeds Simurgh's limit once the kernel's
 * buffers (up to 5 MB) and `maxBackpressureBytes` are full, and is cut `slowClientMs` later: between
 * 1.5 s (with empty buffers) and 4.1 s after the first send. The window of 3 s starts at 1.5 s, so
 * that the cut falls within it.
 */
const READERS = "fanout --connections 200 --topics 4 --rate 1k --payload 8k --warmup 1500ms".split(
  " ",
);

/** The workloads by their names in `--only`. */
export const WORKS = {
  echo: {
    title: "echo, 200 connections",
    load: ["echo", "--connections", "200", "--rate", "10k"],
    hasDuration: true,
    besidesSeconds: 4,
    shards: 1,
    figure: "cpuUsPerMessage",
    budget: 1.25,
    // 40 µs were measured on most days and 12 µs on others, and 44 and 36 µs of Simurgh.
    leastBare: 20,
  },
  fanout: {
    title: "fan-out, 2 000 on 100 topics, one shard",
    load: FANOUT,
    hasDuration: true,
    besidesSeconds: 5,
    shards: 1,
    figure: "cpuUsPerMessage",
    budget: 1.1,
  },
  "fanout-2": {
    title: "the same over two shards",
    load: FANOUT,
    hasDuration: true,
    besidesSeconds: 5,
    shards: 2,
    figure: "cpuUsPerMessage",
    budget: 1.25,
  },
  hot: {
    title: "fan-out, one topic of 500",
    load: ["fanout", "--connections", "500", "--topics", "1", "--rate", "400"],
    hasDuration: true,
    besidesSeconds: 4,
    shards: 1,
    figure: "cpuUsPerMessage",
    budget: 1.1,
  },
  joins: {
    title: "connects and joins at full speed",
    load: ["connect", "--connections", "10k", "--rate", "100k"],
    hasDuration: false,
    besidesSeconds: 8,
    shards: 1,
    figure: "timeUsPerMessage",
    budget: 2,
  },
  "echo-8k": {
    title: "p99 of echo, 200 connections, 8 KB payloads",
    load: ["echo", "--connections", "200", "--rate", "4k", "--payload", "8k"],
    hasDuration: true,
    besidesSeconds: 4,
    shards: 1,
    figure: "latencyP99Us",
    budget: 1.5,
  },
  memory: {
    title: "memory of one more joined connection",
    load: CONNECT,
    hasDuration: false,
    besidesSeconds: 14,
    shards: 1,
    figure: "bytesPerConnection",
    budget: 1024,
    // It takes three descriptors for each client, more than a process may have.
    leavesOut: ["attached"],
  },
  // Latencies of milliseconds on shared cores have no stable ratio: compare the figures of several runs, and each
  // server's own pair.
  readers: {
    title: "p99 of 200 clients, 8 KB payloads",
    load: READERS,
    hasDuration: true,
    besidesSeconds: 5,
    shards: 1,
    figure: "latencyP99Us",
    budget: 1.5,
  },
  "readers-slow": {
    title: "p99 of 180 beside 20 that never read",
    load: [...READERS, "--deaf", "20"],
    hasDuration: true,
    besidesSeconds: 8,
    shards: 1,
    figure: "latencyP99Us",
    beside: "readers",
  },
} as const satisfies Record<string, Work>;

/** Name of a workload. */
export type WorkName = keyof typeof WORKS;

/** Groups workloads that are compared with each other, in the given order. */
export function groupWorks(names: readonly WorkName[]): readonly (readonly WorkName[])[] {
  const groups: WorkName[][] = [];
  for (const name of names) {
    const { beside }: Work = WORKS[name];
    const group = groups.find((others) => others.some((other) => other === beside));
    if (group === undefined) groups.push([name]);
    else group.push(name);
  }
  return groups;
}

/** Estimates the time of a benchmark (s). */
export function secondsOfWorks(
  names: readonly WorkName[],
  { servers, pairs, seconds }: { servers: number; pairs: number; seconds: number },
): number {
  const each = names.map((name) => {
    const { hasDuration, besidesSeconds }: Work = WORKS[name];
    return besidesSeconds + (hasDuration ? seconds : 0);
  });
  return servers * pairs * each.reduce((sum, turn) => sum + turn, 0);
}
