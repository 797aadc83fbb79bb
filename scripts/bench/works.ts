/**
 * The works that are measured, and what each may cost, in one table.
 *
 * Runs on: the bench's process.
 */

/** What can be compared: how it is shown, and how a server's stands to the bare engine's. */
export const FIGURES = {
  /** Server CPU for each message that it delivered. */
  cpuUsPerMessage: { unit: "µs", digits: 2, relation: "ratio" },
  /** Server memory of one more joined connection. */
  bytesPerConnection: { unit: "B", digits: 0, relation: "difference" },
  /** From the planned time of a send to its delivery; absent where the generator refuses it. */
  latencyP99Us: { unit: "µs", digits: 0, relation: "ratio" },
} as const;

/** Name of what is compared. */
export type Figure = keyof typeof FIGURES;

/** One row of the benchmark. */
export interface Work {
  /** What it is, as the table prints it. */
  readonly title: string;
  /** The generator's scenario and options; rates are chosen so that no server is saturated. */
  readonly load: readonly string[];
  /** Whether the generator is told `--duration`: `connect` lasts as long as it takes. */
  readonly hasDuration: boolean;
  /** Threads of the servers that have shards; the others have one. */
  readonly shards: number;
  readonly figure: Figure;
  /** Largest ratio, or largest difference, to the bare engine; absent where none is set. */
  readonly budget?: number;
  /** The work that shows the same server without what is added here; they share their rounds. */
  readonly beside?: string;
}

const FANOUT = ["fanout", "--connections", "2k", "--topics", "100", "--rate", "2k"] as const;

/**
 * 2 MB a second to each client. One that does not read is beyond Simurgh's limit when the systems'
 * buffers (up to 5 MB) and `maxBackpressureBytes` are full, and cut after `slowClientMs`: 1.5 s after
 * the first send at the earliest, with buffers of nothing, 4.1 s at the latest. So it is cut within a
 * window of 3 s, which begins with the 1.5 s.
 */
const READERS = "fanout --connections 200 --topics 4 --rate 1k --payload 8k --warmup 1500ms".split(
  " ",
);

/** Each work by the name that `--only` takes. */
export const WORKS = {
  echo: {
    title: "echo, 200 connections",
    load: ["echo", "--connections", "200", "--rate", "10k"],
    hasDuration: true,
    shards: 1,
    figure: "cpuUsPerMessage",
    budget: 1.25,
  },
  fanout: {
    title: "fan-out, 2 000 on 100 topics, one shard",
    load: FANOUT,
    hasDuration: true,
    shards: 1,
    figure: "cpuUsPerMessage",
    budget: 1.1,
  },
  "fanout-2": {
    title: "the same over two shards",
    load: FANOUT,
    hasDuration: true,
    shards: 2,
    figure: "cpuUsPerMessage",
    budget: 1.25,
  },
  memory: {
    title: "memory of one more joined connection",
    load: ["connect", "--connections", "10k", "--rate", "2k"],
    hasDuration: false,
    shards: 1,
    figure: "bytesPerConnection",
    budget: 1024,
  },
  // No budget for these: a tail of milliseconds on shared cores has no ratio that would hold. What
  // counts is each server's own pair, and that the generator found every delivery of the readers.
  readers: {
    title: "p99 of 200 clients, 8 KB payloads",
    load: READERS,
    hasDuration: true,
    shards: 1,
    figure: "latencyP99Us",
  },
  "readers-slow": {
    title: "p99 of 180 beside 20 that never read",
    load: [...READERS, "--deaf", "20"],
    hasDuration: true,
    shards: 1,
    figure: "latencyP99Us",
    beside: "readers",
  },
} as const satisfies Record<string, Work>;

/** Name of a work. */
export type WorkName = keyof typeof WORKS;

/** Puts works that are compared with each other side by side, in the order given. */
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
