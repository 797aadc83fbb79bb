/**
 * What answers a message later, from anywhere in the shard.
 *
 * Runs on: the shard that owns the connection.
 */

import { makeError } from "../errors.ts";
import type { Ref } from "../protocol/message.ts";
import { STATUS } from "../protocol/reserved.ts";
import type { Channel } from "./channel.ts";
import { STATE } from "./channel-state.ts";
import type { ChannelSocket } from "./channel-socket.ts";
import type { ChannelOwner } from "./routed-channel.ts";
import type { PayloadWriter } from "./schemas/payload-writer.ts";

/** Answers one message, any number of times, also after its channel ended (WIRE §5.3). */
export class SocketRef {
  readonly #owner: ChannelOwner;
  readonly #joinRefJson: string;
  readonly #topicJson: string;
  readonly #ref: Ref;
  /** Writes replies with ok, where the event declares them by a JSON Schema. */
  readonly #write: PayloadWriter | undefined;

  constructor(channel: Channel) {
    this.#owner = channel.owner;
    this.#joinRefJson = channel.joinRefJson;
    this.#topicJson = JSON.stringify(channel.topic);
    this.#ref = channel.ref;
    this.#write = channel.replyWriter;
  }

  /**
   * Sends an answer. Nothing happens once the connection is gone.
   *
   * @throws SIM_ERR_PAYLOAD where the payload cannot be sent, or does not fit the JSON Schema of the event
   *   that it answers
   */
  reply(status: string, payload?: unknown): void {
    const { connection, serializer } = this.#owner;
    const written = status === STATUS.ok && this.#write ? this.#write(payload) : payload;
    const frame = serializer.reply(this.#joinRefJson, this.#ref, this.#topicJson, status, written);
    connection.send(frame);
  }
}

/**
 * Keeps what is needed to answer the message that is being handled.
 *
 * @throws SIM_ERR_NOT_JOINED in `join`; SIM_ERR_NO_REF outside `handleIn`
 */
export function socketRef<Assigns, Locals>(socket: ChannelSocket<Assigns, Locals>): SocketRef {
  const channel = socket as unknown as Channel;
  if (channel.state === STATE.joining) {
    throw makeError("SIM_ERR_NOT_JOINED", "socketRef must be called after the join was answered");
  }
  if (channel.ref === null || channel.ref === undefined) {
    throw makeError(
      "SIM_ERR_NO_REF",
      "socketRef must be called while a message with a ref is handled",
    );
  }
  return new SocketRef(channel);
}
