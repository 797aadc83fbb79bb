/**
 * Answers questions about a shard: its subscribers, topics, sockets, channels and presences.
 *
 * Runs on: shard. An answer is a snapshot; several shards take their snapshots at different times.
 */

import { STATE } from "../channel/channel-state.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import { isOwnTopic } from "../protocol/reserved.ts";
import type { PresenceAnswer, Trackers } from "../presence/trackers.ts";
import type { TopicCount } from "../pubsub/topic-counts.ts";
import type { ServedSocket } from "../socket/served-socket.ts";
import { shownValue } from "../error-report.ts";

/** A connection. */
export interface SocketInfo {
  /** The connection's number. */
  readonly connection: number;
  /** The result of the socket's `id` callback. */
  readonly id: string | null;
  readonly shard: number;
  readonly transport: string;
  /** The socket's path in the endpoint. */
  readonly path: string;
}

/** A channel of a connection. */
export interface ChannelInfo {
  readonly topic: string;
  readonly status: "joining" | "joined" | "leaving";
}

/** A channel in detail, with its connection. */
export interface ChannelDetails extends ChannelInfo, SocketInfo {
  readonly joinRef: unknown;
  /** The channel's current assigns, or text if they cannot be sent to another thread. */
  readonly assigns: unknown;
}

/** A question from main. */
export type Question =
  | { readonly about: "subscribers"; readonly topic: string }
  | { readonly about: "topics"; readonly prefix: string; readonly limit: number }
  | { readonly about: "sockets"; readonly limit: number }
  | { readonly about: "channels"; readonly connection: number }
  | { readonly about: "channel"; readonly connection: number; readonly topic: string }
  | PresenceQuestion;

/** A question about the presences on a topic, or under one of its keys. */
export interface PresenceQuestion {
  readonly about: "presences";
  readonly name: string;
  readonly topic: string;
  readonly key: string | undefined;
}

/** The type of the answer to each question. */
export interface Answers {
  readonly subscribers: number;
  /** The first topics, in alphabetical order. */
  readonly topics: readonly TopicCount[];
  /** The first connections, ordered by number. */
  readonly sockets: readonly SocketInfo[];
  /** Undefined if the connection does not exist. */
  readonly channels: readonly ChannelInfo[] | undefined;
  /** Undefined if the channel does not exist. */
  readonly channel: ChannelDetails | undefined;
  readonly presences: PresenceAnswer;
}

/** An answer to any question. */
export type Answer = Answers[keyof Answers];

/** The parts of a shard that can be inspected. */
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
  readonly sockets: () => Iterable<ServedSocket>;
  readonly presences: Pick<Trackers, "answer">;
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
    case "channels":
      return channelsOf(of, question.connection);
    default:
      return channelOf(of, question.connection, question.topic);
  }
}

function isUsersTopic(topic: string): boolean {
  return !isOwnTopic(topic);
}

function socketsOf({ shard, sockets }: Introspected, limit: number): SocketInfo[] {
  const infos = Array.from(sockets(), (socket) => socketInfo(socket, shard));
  return infos.toSorted((one, other) => one.connection - other.connection).slice(0, limit);
}

function channelsOf(of: Introspected, number: number): ChannelInfo[] | undefined {
  return socketOf(of, number)?.allChannels().map(channelInfo);
}

function channelOf(of: Introspected, number: number, topic: string): ChannelDetails | undefined {
  const socket = socketOf(of, number);
  const channel = socket?.allChannels().find((one) => one.topic === topic);
  if (!socket || !channel) return undefined;
  const { joinRef, assigns } = channel;
  const infos = { ...socketInfo(socket, of.shard), ...channelInfo(channel) };
  return { ...infos, joinRef, assigns: sendable(assigns) };
}

function socketOf({ sockets }: Introspected, number: number): ServedSocket | undefined {
  for (const socket of sockets()) if (socket.connection.id === number) return socket;
  return undefined;
}

function socketInfo({ connection, id, path }: ServedSocket, shard: number): SocketInfo {
  return { connection: connection.id, id, shard, transport: connection.transport, path };
}

function channelInfo(channel: RoutedChannel): ChannelInfo {
  return { topic: channel.topic, status: statusOf(channel) };
}

/**
 * Returns the assigns in a form that can be sent to another thread: a clone or, if cloning fails,
 * text.
 */
function sendable(assigns: object): unknown {
  try {
    return structuredClone(assigns);
  } catch {
    return shownValue(assigns);
  }
}

function statusOf({ state, isLeaving }: RoutedChannel): ChannelInfo["status"] {
  if (isLeaving || state >= STATE.ending) return "leaving";
  return state === STATE.joining ? "joining" : "joined";
}
