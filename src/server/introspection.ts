/**
 * What is on this node: the answers of all shards, and of main, put together.
 *
 * A shard that is being restarted has two threads, and both are asked.
 *
 * Runs on: main.
 */

import { makeError } from "../errors.ts";
import { joinTopics, type TopicCount } from "../pubsub/topic-counts.ts";
import type {
  ChannelDetails,
  ChannelInfo,
  PresenceQuestion,
  SocketInfo,
} from "../shard/control.ts";
import { errorOf } from "../error-report.ts";
import type { Asked, Questions } from "./questions.ts";

/** Which topics are wanted. */
export interface TopicsRequest {
  /** What their names begin with; everything without. */
  readonly prefix?: string;
  /** Most topics, the first by their names: 1 to 10,000; 100 without. */
  readonly limit?: number;
}

/** How many sockets are wanted. */
export interface SocketsRequest {
  /** Most sockets, the first by their connections' numbers: 1 to 10,000; 100 without. */
  readonly limit?: number;
}

/** Who is there, by key, as clients get it. Has no prototype, so that a key may be any string. */
export type HostPresences = Readonly<Record<string, HostPresenceEntry>>;

/** Who is there under one key. */
export interface HostPresenceEntry {
  readonly metas: readonly Readonly<Record<string, unknown>>[];
  /** What `fetch` added. */
  readonly [fetched: string]: unknown;
}

/** What main has itself: the handlers of its host. */
export interface HostTopics {
  count(topic: string): number;
  topicCounts(prefix: string, limit: number): readonly TopicCount[];
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;

/** The questions that a server answers about itself. */
export class Introspection {
  readonly #questions: Questions;
  readonly #threads: () => readonly Asked[];
  readonly #host: HostTopics;
  readonly #shards: number;

  /** @param threads - of all shards that serve or drain */
  constructor(
    questions: Questions,
    threads: () => readonly Asked[],
    host: HostTopics,
    shards: number,
  ) {
    this.#questions = questions;
    this.#threads = threads;
    this.#host = host;
    this.#shards = shards;
  }

  async subscribers(topic: string): Promise<number> {
    const counts = await this.#questions.ask(this.#threads(), { about: "subscribers", topic });
    return counts.reduce((sum, count) => sum + count, this.#host.count(topic));
  }

  async topics({ prefix = "", limit = DEFAULT_LIMIT }: TopicsRequest): Promise<TopicCount[]> {
    checkLimit(limit, "topics");
    const parts = await this.#questions.ask(this.#threads(), { about: "topics", prefix, limit });
    return joinTopics([this.#host.topicCounts(prefix, limit), ...parts], limit);
  }

  async sockets({ limit = DEFAULT_LIMIT }: SocketsRequest): Promise<SocketInfo[]> {
    checkLimit(limit, "sockets");
    const parts = await this.#questions.ask(this.#threads(), { about: "sockets", limit });
    const all = parts.flat().toSorted((one, other) => one.connection - other.connection);
    return all.slice(0, limit);
  }

  async channels(connection: number): Promise<ChannelInfo[] | undefined> {
    const threads = this.#threadsOf(connection);
    const [found] = await this.#questions.ask(threads, { about: "channels", connection });
    return found ? [...found] : undefined;
  }

  async channel(connection: number, topic: string): Promise<ChannelDetails | undefined> {
    const threads = this.#threadsOf(connection);
    const [found] = await this.#questions.ask(threads, { about: "channel", connection, topic });
    return found;
  }

  #threadsOf(connection: number): Asked[] {
    const shard = connection % this.#shards;
    return this.#threads().filter((thread) => thread.shard === shard);
  }

  /** Asks one shard who is there: each knows it of all shards and nodes. */
  async presences(asked: Omit<PresenceQuestion, "about">): Promise<HostPresences> {
    // Of the two threads of a shard that is restarted, the later: the other may have ended its part.
    const thread = this.#threads().at(-1);
    if (!thread) throw makeError("SIM_ERR_SHARD_BUSY", "a shard must be there, got none");
    const [answer] = await this.#questions.ask([thread], { about: "presences", ...asked });
    // The thread ended meanwhile; another one takes its place.
    if (!answer) return this.presences(asked);
    if ("failed" in answer) throw errorOf(answer.failed);
    if ("presences" in answer) return withoutPrototype(answer.presences);
    const names = answer.names.join(", ") || "none";
    const message = `presence must be one of the endpoint's (${names}), got ${asked.name}`;
    throw makeError("SIM_ERR_PRESENCE", message);
  }
}

/** Gives what a shard wrote as JSON: an object that any key may be looked up in. */
function withoutPrototype(text: string): HostPresences {
  return Object.setPrototypeOf(JSON.parse(text), null) as HostPresences;
}

function checkLimit(limit: number, unit: string): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return;
  throw makeError(
    "SIM_ERR_OPTION_INVALID",
    `limit must be an integer from 1 to ${MAX_LIMIT} (${unit}), got ${limit}`,
  );
}
