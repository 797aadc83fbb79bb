/**
 * The loads and servers of `npm run load:calls`, in three tables: the rate of messages for each
 * socket, the arrival pattern of the messages, and the servers that deliver them.
 *
 * Each broadcast goes to a topic of 20 members. From 10 messages per second for each socket on, all
 * loads have the same number of deliveries, 20 000 per second, which two cores can serve. They
 * differ in the number of messages that meet at a socket. Evenly spaced messages meet only if a
 * server is behind or holds them back. In ticks, as with clients that share a clock (a game,
 * cursors), all messages of a tick are sent at its beginning by different members of the topic.
 *
 * Runs on: the process of `load:calls`.
 */

import type { ServerName } from "../../bench/servers.ts";

/** Members of each topic; all of them receive each of its broadcasts. */
export const MEMBERS = 20;

/** A number of sockets, and the rate at which each receives messages. */
export interface Rate {
  /** Messages per second to each socket. */
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

/** Arrival patterns of messages: evenly spaced, or all messages of a tick at its beginning. */
export const ARRIVALS = ["even", "ticks"] as const;

/** An arrival pattern of messages. */
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
  /** Whether the server holds broadcasts for the coalescing window. */
  readonly hasWindow: boolean;
}

/** The servers to measure, in the order of their turns. */
export const SUBJECTS: readonly Subject[] = [
  { title: "bare", server: "bare", shards: 1, hasWindow: false },
  { title: "bun", server: "bun", shards: 1, hasWindow: false },
  { title: "simurgh", server: "simurgh", shards: 1, hasWindow: false },
  { title: "simurgh, window", server: "simurgh", shards: 1, hasWindow: true },
  { title: "simurgh, 2 shards", server: "simurgh", shards: 2, hasWindow: false },
  { title: "simurgh, 2 shards, window", server: "simurgh", shards: 2, hasWindow: true },
];

/** Returns the generator's scenario and options for a load. */
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

/** Returns the deliveries per second of a load. */
export function deliveriesPerSecond({ perSocket, connections }: Rate): number {
  return perSocket * connections;
}
