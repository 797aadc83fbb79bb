/**
 * What channels send: pushes, replies, broadcasts, and the ends of channels.
 *
 * Runs on: shard.
 */

import { makeError } from "../errors.ts";
import { checkEvent, topicName, type BroadcastEncoder } from "../protocol/broadcast-encoder.ts";
import type { Ref } from "../protocol/message.ts";
import { STATUS } from "../protocol/reserved.ts";
import { refJson } from "../protocol/serializer.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Channel } from "./channel.ts";
import { STATE } from "./channel-state.ts";
import type { Lane } from "./lane.ts";

/** Sends for channels. */
export class ChannelOutput {
  readonly #pubsub: PubSub<Lane>;
  readonly #encoder: BroadcastEncoder;

  constructor(pubsub: PubSub<Lane>, encoder: BroadcastEncoder) {
    this.#pubsub = pubsub;
    this.#encoder = encoder;
  }

  push(channel: Channel, event: string, payload: unknown): void {
    checkJoined(channel, "push");
    if (channel.state === STATE.closed) return;
    checkEvent(event);
    const { connection, serializer } = channel.owner;
    const frame = serializer.push(channel.joinRefJson, topicJson(channel), event, payload);
    connection.send(frame);
  }

  broadcast(channel: Channel, event: string, payload: unknown, from: Channel | undefined): void {
    checkJoined(channel, from ? "broadcastFrom" : "broadcast");
    const { entry } = channel;
    this.#encoder.encode(entry ?? topicName(channel.topic), event, payload);
    this.#pubsub.broadcast(entry ?? channel.topic, this.#encoder, "cluster", from);
  }

  reply(channel: Channel, ref: Ref, status: string, payload: unknown): void {
    const { connection, serializer } = channel.owner;
    const { joinRefJson } = channel;
    const frame = serializer.reply(joinRefJson, ref, topicJson(channel), status, payload);
    connection.send(frame);
  }

  /** Answers a join: with the join_ref that came, where others use the ref in its place. */
  replyToJoin(channel: Channel, ref: Ref, status: string, payload: unknown): void {
    const { connection, serializer } = channel.owner;
    const joinRef = refJson(channel.sentJoinRef);
    const frame = serializer.reply(joinRef, ref, topicJson(channel), status, payload);
    connection.send(frame);
  }

  /** Answers a join that failed. Never throws. */
  refuseJoin(channel: Channel, reason: string): void {
    try {
      this.replyToJoin(channel, channel.ref, STATUS.error, { reason });
    } catch (error) {
      channel.owner.failed(error);
    }
  }

  /** Sends `phx_close` or `phx_error`. Never throws. */
  end(channel: Channel, event: string, payload: object): void {
    const { connection, serializer } = channel.owner;
    const joinRef = refJson(channel.sentJoinRef);
    try {
      const frame = serializer.end(joinRef, topicJson(channel), event, payload);
      connection.send(frame);
    } catch (error) {
      channel.owner.failed(error);
    }
  }
}

function topicJson({ entry, topic }: Channel): string {
  return entry ? entry.json : JSON.stringify(topic);
}

function checkJoined(channel: Channel, name: string): void {
  if (channel.state !== STATE.joining) return;
  throw makeError(
    "SIM_ERR_NOT_JOINED",
    `${name} must be called after the join was answered; in join, send yourself a message`,
  );
}
