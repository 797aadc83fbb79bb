/**
 * Answers questions about this node by combining the answers of all shards and of main.
 *
 * While a shard is being restarted it has two threads, and both are asked.
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

/** Selects the topics to list. */
export interface TopicsRequest {
  /** Lists only topics with this prefix. Default: all topics. */
  readonly prefix?: string;
  /** Maximum number of topics, in alphabetical order: 1 to 10,000. Default: 100. */
  readonly limit?: number;
}

/** Limits the list of sockets. */
export interface SocketsRequest {
  /** Maximum number of sockets, ordered by connection number: 1 to 10,000. Default: 100. */
  readonly limit?: number;
}

/** Presences by key, as sent to clients. Has no prototype, so that any string is a valid key. */
export type HostPresences = Readonly<Record<string, HostPresenceEntry>>;

/** The presences of one key. */
export interface HostPresenceEntry {
  readonly metas: readonly Readonly<Record<string, unknown>>[];
  /** Properties added by `fetch`. */
  readonly [fetched: string]: unknown;
}

/** The topics that the host has subscribed to on main. */
export interface HostTopics {
  count(topic: string): number;
  topicCounts(prefix: string, limit: number): readonly TopicCount[];
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;

/** Answers questions about a server. */
export class Introspection {
  readonly #questions: Questions;
  readonly #threads: () => readonly Asked[];
  readonly #host: HostTopics;
  readonly #shards: number;

  /** @param threads - returns the threads of all serving and draining shards */
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

  /** Asks one shard for presences, because each shard knows those of all shards and nodes. */
  async presences(asked: Omit<PresenceQuestion, "about">): Promise<HostPresences> {
    // If a shard is being restarted, ask its newer thread; the older one may have left presence.
    const thread = this.#threads().at(-1);
    if (!thread) throw makeError("SIM_ERR_SHARD_BUSY", "a shard must be running, got none");
    const [answer] = await this.#questions.ask([thread], { about: "presences", ...asked });
    // The thread ended before it answered, so ask another one.
    if (!answer) return this.presences(asked);
    if ("failed" in answer) throw errorOf(answer.failed);
    if ("presences" in answer) return withoutPrototype(answer.presences);
    const names = answer.names.join(", ") || "none";
    const message = `presence must be one of the endpoint's (${names}), got ${asked.name}`;
    throw makeError("SIM_ERR_PRESENCE", message);
  }
}

/** Parses a shard's JSON into an object without a prototype. */
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
