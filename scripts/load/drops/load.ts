/**
 * A load of `npm run load:drops`: who listens, what is published, and how often connections are torn.
 *
 * Runs on: any process of `load:drops`. Types, and pure functions.
 */

/** What happens to the server while connections are torn. */
export const SCENARIOS = ["drops", "shards", "process"] as const;

/**
 * `drops`: nothing. `shards`: all shards are restarted in turn. `process`: the process is stopped and
 * started.
 */
export type Scenario = (typeof SCENARIOS)[number];

/** A load. */
export interface Load {
  /** Number of clients, spread evenly over the topics. */
  readonly clients: number;
  readonly topics: number;
  /** Number of messages on all topics together, a multiple of their number. */
  readonly messages: number;
  /** Messages a second on all topics together. */
  readonly rate: number;
  /** Average time from a client's return to its next tear. */
  readonly tearEveryMs: number;
  /** Time from a tear to the client's next attempt to connect. */
  readonly awayMs: number;
}

/** Event of the messages, and of the mark behind the last of them. */
export const EVENTS = { message: "said", end: "ended" } as const;

/** Payload of a message. */
export interface Message {
  /** Number within its topic, from 1. */
  readonly n: number;
  /** When it was published, by `nowMs`. */
  readonly at: number;
}

/** Returns the length of the load, without the time in which clients become level. */
export function lengthMs({ messages, rate }: Load): number {
  return (messages / rate) * 1_000;
}

/** Returns the number of messages of each topic. */
export function messagesEach({ messages, topics }: Pick<Load, "messages" | "topics">): number {
  return messages / topics;
}

/** Returns the number of messages that are due. They are spread evenly over time and topics. */
export function dueAt({ messages, rate }: Load, elapsedMs: number): number {
  return Math.min(messages, Math.floor((elapsedMs / 1_000) * rate));
}

/** Returns the topic and the number of a message, by its position among all of them, from 0. */
export function messageAt(
  { topics }: Pick<Load, "topics">,
  position: number,
): { readonly topic: number; readonly n: number } {
  return { topic: position % topics, n: Math.floor(position / topics) + 1 };
}

/** Reads the clock that all processes of this machine share, in ms. */
export function nowMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
