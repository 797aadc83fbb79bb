/**
 * What a channel sends: pushes, replies and its end to its client, and broadcasts to its topic.
 *
 * Frames have the join_ref of the join, or the join's ref if it had none. The answer to the join and the end
 * have the join_ref as the client sent it.
 *
 * Runs on: the shard that owns the connection.
 */

import { checkEvent } from "../protocol/broadcast-encoder.ts";
import type { Ref } from "../protocol/message.ts";
import { refJson } from "../protocol/serializer.ts";
import { mayBeKept, type TopicBroadcastOptions } from "../pubsub/broadcast-options.ts";
import type { TopicEntry } from "../pubsub/registry.ts";
import type { ChannelHistory } from "./channel-history.ts";
import type { ChannelDefinition } from "./definition.ts";
import type { Lane } from "./lane.ts";
import type { ChannelOwner } from "./routed-channel.ts";
import type { ShardChannels } from "./shard-channels.ts";

/** A channel that sends. */
export interface SendingChannel {
  readonly topic: string;
  /** The topic's entry, while the channel is subscribed. */
  readonly entry: TopicEntry<Lane> | undefined;
  readonly sentJoinRef: Ref;
  /** The join_ref of frames, as JSON. */
  readonly joinRefJson: string;
  /** The ref of the message that is handled, or of the join. */
  readonly ref: Ref;
  readonly owner: ChannelOwner;
  readonly shared: Pick<ShardChannels, "pubsub">;
  readonly definition: Pick<ChannelDefinition, "writers">;
  readonly history?: ChannelHistory;
}

/** Sends a push. @throws SIM_ERR_PAYLOAD; nothing is sent then */
export function sendPush(channel: SendingChannel, event: string, payload: unknown): void {
  checkEvent(event);
  const { owner, joinRefJson, history } = channel;
  const { connection, serializer } = owner;
  const ref = history?.ref;
  const frame = serializer.push(joinRefJson, topicJson(channel), event, payload, ref);
  connection.send(frame);
  if (typeof ref === "string") history?.pushed(frame, serializer);
}

/** Sends the reply to a message. @throws SIM_ERR_PAYLOAD; nothing is sent then */
export function sendReply(
  channel: SendingChannel,
  ref: Ref,
  status: string,
  payload: unknown,
): void {
  const { connection, serializer } = channel.owner;
  connection.send(serializer.reply(channel.joinRefJson, ref, topicJson(channel), status, payload));
}

/** Sends the answer to the join. @throws SIM_ERR_PAYLOAD; nothing is sent then */
export function sendJoinAnswer(channel: SendingChannel, status: string, payload: unknown): void {
  const { connection, serializer } = channel.owner;
  const joinRef = refJson(channel.sentJoinRef);
  connection.send(serializer.reply(joinRef, channel.ref, topicJson(channel), status, payload));
}

/** Sends `phx_close` or `phx_error`. If the serializer throws, the connection has failed. */
export function sendEnd(channel: SendingChannel, event: string, payload: object): void {
  const { connection, serializer } = channel.owner;
  try {
    const joinRef = refJson(channel.sentJoinRef);
    connection.send(serializer.end(joinRef, topicJson(channel), event, payload));
  } catch (error) {
    channel.owner.failed(error);
  }
}

/**
 * Broadcasts to the channel's topic.
 *
 * @param except - a channel that is left out
 * @throws SIM_ERR_OPTION_INVALID, SIM_ERR_PAYLOAD, SIM_ERR_PAYLOAD_TOO_LARGE; nobody receives it then
 */
export function sendBroadcast(
  channel: SendingChannel,
  event: string,
  payload: unknown,
  options: TopicBroadcastOptions | undefined,
  except: object | undefined,
): void {
  const { topic, entry, shared } = channel;
  const written = writtenFor(channel, event, payload);
  if (mayBeKept(options))
    shared.pubsub.broadcast(entry ?? topic, event, written, "cluster", except);
  else shared.pubsub.broadcastUnkept(topic, event, written, "cluster", except);
}

/** Returns a payload as it is sent: only what the channel's `out` declares, if it does. */
export function writtenFor(
  { definition: { writers } }: SendingChannel,
  event: string,
  payload: unknown,
): unknown {
  return writers ? writers.written(event, payload) : payload;
}

function topicJson({ entry, topic }: SendingChannel): string {
  return entry ? entry.json : JSON.stringify(topic);
}
