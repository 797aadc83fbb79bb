/**
 * What `npm run load:calls` measures: how often each socket gets a message, how the messages come, and
 * who sends them on; in three tables.
 *
 * Each broadcast goes to a topic of 20 members, so that a rate for each socket is one of deliveries
 * too, which is the same wherever sockets get 10 a second and more: 20 000 a second, which two cores
 * serve. What differs is how many of them meet at a socket. Evenly spaced they meet only where a
 * server is behind, or holds them back; in ticks, as of clients that share a clock (a game, cursors),
 * all that a socket gets within one is sent at its beginning, by so many members of its topic.
 *
 * Runs on: the process of `load:calls`.
 */

import type { ServerName } from "../../bench/servers.ts";

/** Members of each topic, who all get each of its broadcasts. */
export const MEMBERS = 20;

/** Sockets that get so many messages a second each. */
export interface Rate {
  /** Messages a second to each socket. */
  readonly perSocket: number;
  readonly connections: number;
}

/** The rates, in the order of the table. */
export const RATES: readonly Rate[] = [
  { perSocket: 1, connections: 2_000 },
  { perSocket: 10, connections: 2_000 },
  { perSocket: 100, connections: 200 },
  { perSocket: 1_000, connections: 20 },
];

/** How messages come: evenly spaced, or all of a tick at its beginning. */
export const ARRIVALS = ["even", "ticks"] as const;

/** Name of how messages come. */
export type Arrival = (typeof ARRIVALS)[number];

/** One load. */
export interface Load extends Rate {
  readonly arrival: Arrival;
}

/** A server in one setting. */
export interface Subject {
  readonly title: string;
  readonly server: ServerName;
  readonly shards: number;
  /** Whether it holds broadcasts for the coalescing window. */
  readonly hasWindow: boolean;
}

/** Who is measured, in the order in which they take turns. */
export const SUBJECTS: readonly Subject[] = [
  { title: "bare", server: "bare", shards: 1, hasWindow: false },
  { title: "bun", server: "bun", shards: 1, hasWindow: false },
  { title: "simurgh", server: "simurgh", shards: 1, hasWindow: false },
  { title: "simurgh, window", server: "simurgh", shards: 1, hasWindow: true },
  { title: "simurgh, 2 shards", server: "simurgh", shards: 2, hasWindow: false },
  { title: "simurgh, 2 shards, window", server: "simurgh", shards: 2, hasWindow: true },
];

/** The generator's scenario and options for a load. */
export function generatorLoad({ perSocket, connections, arrival }: Load, tickMs: number): string[] {
  const topics = connections / MEMBERS;
  return [
    "fanout",
    "--connections",
    String(connections),
    "--topics",
    String(topics),
    "--rate",
    String(perSocket * topics),
    ...(arrival === "ticks" ? ["--tick", `${tickMs}ms`] : []),
  ];
}

/** Deliveries a second that a load leads to. */
export function deliveriesPerSecond({ perSocket, connections }: Rate): number {
  return perSocket * connections;
}
