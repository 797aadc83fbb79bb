/**
 * A channel of the official client, with the types of the app's channel.
 *
 * Runs on: a client, in a browser or elsewhere.
 * Owns: the replies that are waited for.
 */

import type { PayloadArgument } from "../channel/channel-socket.ts";
import type { ChannelTypes, ClientCall } from "../channel/schemas/declarations.ts";
import { awaitedReply, type GiveUp, type RequestOptions } from "./awaited-reply.ts";
import type { PhoenixChannel } from "./phoenix.ts";
import { replyError } from "./reply-error.ts";
import type { Serialized } from "./serialized.ts";

type PayloadOf<Call> = Call extends ClientCall<infer Payload, unknown> ? Sendable<Payload> : never;
type ReplyOf<Call> = Call extends ClientCall<unknown, infer Reply> ? Serialized<Reply> : never;
/** The official client sends an ArrayBuffer as bytes, and a view of one as JSON. */
type Sendable<Payload> = Payload extends ArrayBufferView ? ArrayBuffer : Payload;

/** Events whose handler gives a reply. */
type RequestEvent<Calls> = keyof {
  [Event in keyof Calls as [ReplyOf<Calls[Event]>] extends [never] ? never : Event]: true;
} &
  string;

type RequestArguments<Payload> = object extends Payload
  ? [payload?: Payload, options?: RequestOptions]
  : [payload: Payload, options?: RequestOptions];

/** A channel, as a client has it. */
export class ClientChannel<Types extends ChannelTypes = ChannelTypes> {
  readonly topic: string;
  /** The official client's own, for all that is not here. */
  readonly channel: PhoenixChannel;
  readonly #open = new Set<GiveUp>();

  constructor(topic: string, channel: PhoenixChannel) {
    this.topic = topic;
    this.channel = channel;
    const lose = (): void => {
      const open = [...this.#open];
      for (const giveUp of open) {
        giveUp(
          replyError("SIM_ERR_REPLY_LOST", `channel ${topic} must stay joined until it answers`),
        );
      }
    };
    channel.onClose(lose);
    channel.onError(lose);
  }

  /**
   * Joins. The official client goes on trying where this is rejected, until you `leave`.
   *
   * @returns the payload of the join's answer
   * @throws SIM_ERR_REPLY_REFUSED, SIM_ERR_REPLY_TIMEOUT, or the signal's reason; as rejections
   */
  async join(options: RequestOptions = {}): Promise<Serialized<Types["joined"]>> {
    options.signal?.throwIfAborted();
    return awaitedReply(`join of ${this.topic}`, this.channel.join(options.timeoutMs), options);
  }

  /** Leaves; resolves when the server knows. Throws as `join`. */
  async leave(options: RequestOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await awaitedReply(`leave of ${this.topic}`, this.channel.leave(options.timeoutMs), options);
  }

  /**
   * Has a function called with each payload of an event.
   *
   * @returns a function that ends it
   */
  on<Event extends keyof Types["out"] & string>(
    event: Event,
    callback: (payload: Serialized<Types["out"][Event]>) => void,
  ): () => void {
    const ref = this.channel.on(event, callback as (payload: unknown) => void);
    return () => this.channel.off(event, ref);
  }

  /** Sends an event, and waits for nothing. Before the join is answered it waits for that. */
  push<Event extends keyof Types["in"] & string>(
    event: Event,
    ...[payload]: PayloadArgument<PayloadOf<Types["in"][Event]>>
  ): void {
    this.channel.push(event, payload ?? {});
  }

  /**
   * Sends an event whose handler replies, and waits for that.
   *
   * @returns the payload of its reply with ok
   * @throws SIM_ERR_REPLY_REFUSED, SIM_ERR_REPLY_TIMEOUT; SIM_ERR_REPLY_LOST where the channel ended
   *   or its connection broke meanwhile: whether the handler ran is not known; or the signal's
   *   reason; as rejections
   */
  async request<Event extends RequestEvent<Types["in"]>>(
    event: Event,
    ...[payload, options = {}]: RequestArguments<PayloadOf<Types["in"][Event]>>
  ): Promise<ReplyOf<Types["in"][Event]>> {
    options.signal?.throwIfAborted();
    // What is pushed before the join is answered is kept, and sent after the next join.
    const open = this.channel.state === "joined" ? this.#open : undefined;
    const push = this.channel.push(event, payload ?? {}, options.timeoutMs);
    return awaitedReply(`${event} on ${this.topic}`, push, options, open);
  }
}
