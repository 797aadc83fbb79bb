/**
 * `LaterReply`: answers a message later, from anywhere in the shard.
 *
 * Runs on: the shard that owns the connection.
 */

import type { Ref } from "../protocol/message.ts";
import { STATUS } from "../protocol/reserved.ts";
import type { ChannelOwner } from "./routed-channel.ts";
import type { PayloadWriter } from "./schemas/payload-writer.ts";

/** Payload argument of a reply: typed for status ok, any type for other statuses. */
export type LaterPayload<Status, Answer> = Status extends "ok"
  ? object extends Answer
    ? [payload?: Answer]
    : [payload: Answer]
  : [payload?: unknown];

/**
 * An object that answers one message, any number of times, even after its channel has ended.
 * Phoenix calls it `socket_ref`.
 */
export class LaterReply<Answer = unknown> {
  readonly #owner: ChannelOwner;
  readonly #joinRefJson: string;
  readonly #topicJson: string;
  readonly #ref: Ref;
  /** Writes ok replies, if the event declares a JSON Schema for them. */
  readonly #write: PayloadWriter | undefined;

  constructor(
    owner: ChannelOwner,
    joinRefJson: string,
    topicJson: string,
    ref: Ref,
    write: PayloadWriter | undefined,
  ) {
    this.#owner = owner;
    this.#joinRefJson = joinRefJson;
    this.#topicJson = topicJson;
    this.#ref = ref;
    this.#write = write;
  }

  /**
   * Sends a reply. Does nothing once the connection has ended.
   *
   * @throws SIM_ERR_PAYLOAD if the payload cannot be sent, or does not match the JSON Schema of the
   *   event's reply
   */
  reply<Status extends string>(status: Status, ...payload: LaterPayload<Status, Answer>): void;
  reply(status: string, payload?: unknown): void {
    const { connection, serializer } = this.#owner;
    const written = status === STATUS.ok && this.#write ? this.#write(payload) : payload;
    connection.send(
      serializer.reply(this.#joinRefJson, this.#ref, this.#topicJson, status, written),
    );
  }
}
