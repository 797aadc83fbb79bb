/**
 * What a shard says of itself: subscribers, topics, sockets, channels and presences (WIRE §8.6).
 *
 * Runs on: shard. Each answer is of one moment; those of several shards are not of the same.
 */

import { STATE } from "../channel/channel-state.ts";
import type { Channel } from "../channel/channel.ts";
import { isOwnTopic } from "../protocol/reserved.ts";
import type { TopicCount } from "../pubsub/topic-counts.ts";
import type { Socket } from "../socket/socket.ts";
import type { PresenceAnswer, ShardPresences } from "./presences.ts";

/** One connection. */
export interface SocketInfo {
  /** Number of the connection. */
  readonly connection: number;
  /** What the socket's `id` gave. */
  readonly id: string | null;
  readonly shard: number;
  readonly transport: string;
  /** Path that the socket is mounted at. */
  readonly path: string;
}

/** One channel of a connection. */
export interface ChannelInfo {
  readonly topic: string;
  readonly status: "joining" | "joined" | "leaving";
}

/** What main may ask. */
export type Question =
  | { readonly about: "subscribers"; readonly topic: string }
  | { readonly about: "topics"; readonly prefix: string; readonly limit: number }
  | { readonly about: "sockets"; readonly limit: number }
  | { readonly about: "channels"; readonly connection: number }
  | PresenceQuestion;

/** Who is there: on a topic, or under a key of it. */
export interface PresenceQuestion {
  readonly about: "presences";
  readonly name: string;
  readonly topic: string;
  readonly key: string | undefined;
}

/** What each question is answered with. */
export interface Answers {
  readonly subscribers: number;
  /** The first topics by their names. */
  readonly topics: readonly TopicCount[];
  /** The first connections by their numbers. */
  readonly sockets: readonly SocketInfo[];
  /** Undefined: there is no such connection. */
  readonly channels: readonly ChannelInfo[] | undefined;
  readonly presences: PresenceAnswer;
}

/** An answer, in the form of its question. */
export type Answer = Answers[keyof Answers];

/** What is asked about. */
export interface Introspected {
  readonly shard: number;
  readonly pubsub: {
    count(topic: string): number;
    topicCounts(
      prefix: string,
      limit: number,
      isShown: (topic: string) => boolean,
    ): readonly TopicCount[];
  };
  /** The sockets of all open connections. */
  readonly sockets: () => Iterable<Socket>;
  readonly presences: Pick<ShardPresences, "answer">;
}

/** Answers a question. */
export async function answerOf(question: Question, of: Introspected): Promise<Answer> {
  switch (question.about) {
    case "subscribers":
      return of.pubsub.count(question.topic);
    case "topics":
      return of.pubsub.topicCounts(question.prefix, question.limit, isUsersTopic);
    case "sockets":
      return socketsOf(of, question.limit);
    case "presences":
      return of.presences.answer(question.name, question.topic, question.key);
    default:
      return channelsOf(of, question.connection);
  }
}

function isUsersTopic(topic: string): boolean {
  return !isOwnTopic(topic);
}

function socketsOf({ shard, sockets }: Introspected, limit: number): SocketInfo[] {
  const infos = Array.from(sockets(), ({ connection, id, identity }) => {
    const { id: number, transport } = connection;
    return { connection: number, id, shard, transport, path: identity.mount.path };
  });
  return infos.toSorted((one, other) => one.connection - other.connection).slice(0, limit);
}

function channelsOf({ sockets }: Introspected, number: number): ChannelInfo[] | undefined {
  for (const { connection, channels } of sockets()) {
    if (connection.id !== number) continue;
    return channels.all().map((channel) => ({ topic: channel.topic, status: statusOf(channel) }));
  }
  return undefined;
}

function statusOf({ state, isLeaving }: Channel): ChannelInfo["status"] {
  if (isLeaving || state >= STATE.ending) return "leaving";
  return state === STATE.joining ? "joining" : "joined";
}
