/**
 * What a shard says of itself: subscribers, topics, sockets and channels (WIRE §8.6).
 *
 * Runs on: shard. Each answer is of one moment; those of several shards are not of the same.
 */

import { STATE } from "../channel/channel-state.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import type { TopicCount } from "../pubsub/topic-counts.ts";
import type { ServedSocket } from "../socket/served-socket.ts";

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
  | { readonly about: "channels"; readonly connection: number };

/** What each question is answered with. */
export interface Answers {
  readonly subscribers: number;
  /** The first topics by their names. */
  readonly topics: readonly TopicCount[];
  /** The first connections by their numbers. */
  readonly sockets: readonly SocketInfo[];
  /** Undefined: there is no such connection. */
  readonly channels: readonly ChannelInfo[] | undefined;
}

/** An answer, in the form of its question. */
export type Answer = Answers[keyof Answers];

/** What is asked about. */
export interface Introspected {
  readonly shard: number;
  readonly pubsub: {
    count(topic: string): number;
    topicCounts(prefix: string, limit: number): readonly TopicCount[];
  };
  /** The sockets of all open connections. */
  readonly sockets: () => Iterable<ServedSocket>;
}

/** Answers a question. */
export function answerOf(question: Question, of: Introspected): Answer {
  switch (question.about) {
    case "subscribers":
      return of.pubsub.count(question.topic);
    case "topics":
      return of.pubsub.topicCounts(question.prefix, question.limit);
    case "sockets":
      return socketsOf(of, question.limit);
    default:
      return channelsOf(of, question.connection);
  }
}

function socketsOf({ shard, sockets }: Introspected, limit: number): SocketInfo[] {
  const infos = Array.from(sockets(), ({ connection, id, path }) => {
    const { id: number, transport } = connection;
    return { connection: number, id, shard, transport, path };
  });
  return infos.toSorted((one, other) => one.connection - other.connection).slice(0, limit);
}

function channelsOf({ sockets }: Introspected, number: number): ChannelInfo[] | undefined {
  for (const socket of sockets()) {
    if (socket.connection.id !== number) continue;
    return socket
      .allChannels()
      .map((channel) => ({ topic: channel.topic, status: statusOf(channel) }));
  }
  return undefined;
}

function statusOf({ state, isLeaving }: RoutedChannel): ChannelInfo["status"] {
  if (isLeaving || state >= STATE.ending) return "leaving";
  return state === STATE.joining ? "joining" : "joined";
}
