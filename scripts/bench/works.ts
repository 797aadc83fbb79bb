/**
 * The works that are measured, and what each may cost, in one table.
 *
 * Runs on: the bench's process. A table only.
 */

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
  /** What is compared: CPU by its ratio, memory by its difference. */
  readonly figure: "cpuUsPerMessage" | "bytesPerConnection";
  /** Largest ratio, or largest difference in bytes, to the bare engine. */
  readonly budget: number;
}

const FANOUT = ["fanout", "--connections", "2k", "--topics", "100", "--rate", "2k"] as const;

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
} as const satisfies Record<string, Work>;

/** Name of a work. */
export type WorkName = keyof typeof WORKS;
