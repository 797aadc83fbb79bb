/**
 * The official client with the types of an app: its channels by topic, and their events.
 *
 * Runs on: a client, in a browser or elsewhere.
 * Owns: the open replies of its channels. The socket and its connection are yours.
 */

import type { PayloadArgument } from "../channel/channel-socket.ts";
import type { ChannelTypes, ClientCall } from "../channel/schemas/declarations.ts";
import type { AppChannel, AppTopic } from "../endpoint/app-types.ts";
import {
  awaitReply,
  replyError,
  type GiveUp,
  type PhoenixPush,
  type RequestOptions,
} from "./reply.ts";

/** A socket of the official client, of any release and with any types; the part that is used here. */
export interface PhoenixSocket {
  channel(topic: string, params?: object): PhoenixChannel;
}

/** A channel of the official client; the part that is used here. */
export interface PhoenixChannel {
  readonly state: string;
  join(timeout?: number): PhoenixPush;
  leave(timeout?: number): PhoenixPush;
  push(event: string, payload: object, timeout?: number): PhoenixPush;
  on(event: string, callback: (payload: unknown) => void): number;
  off(event: string, ref?: number): void;
  onClose(callback: () => void): unknown;
  onError(callback: () => void): unknown;
}

/**
 * Type of a value after it was sent: as JSON leaves it, or an ArrayBuffer for bytes, as the official
 * client sends and receives them.
 */
export type Serialized<Value> = unknown extends Value
  ? Value
  : Value extends ArrayBuffer | ArrayBufferView
    ? ArrayBuffer
    : Value extends { toJSON(): infer Json }
      ? Serialized<Json>
      : Value extends (...given: never) => unknown
        ? never
        : Value extends object
          ? { [Key in keyof Value]: Serialized<Value[Key]> }
          : Value;

/** Parameters of a join, or a function that returns them for each join. */
type ParamsArgument<Params> = object extends Params
  ? [params?: Params | (() => Params)]
  : [params: Params | (() => Params)];

type PayloadOf<Call> = Call extends ClientCall<infer Payload, unknown> ? Sendable<Payload> : never;
type ReplyOf<Call> = Call extends ClientCall<unknown, infer Reply> ? Serialized<Reply> : never;
/** The official client sends an ArrayBuffer as bytes, but a view of one as JSON. */
type Sendable<Payload> = Payload extends ArrayBufferView ? ArrayBuffer : Payload;

/** Events whose handler replies. */
type RequestEvent<Calls> = keyof {
  [Event in keyof Calls as [ReplyOf<Calls[Event]>] extends [never] ? never : Event]: true;
} &
  string;

type RequestArguments<Payload> = object extends Payload
  ? [payload?: Payload, options?: RequestOptions]
  : [payload: Payload, options?: RequestOptions];

/**
 * A client of an app.
 *
 * ```ts
 * import type app from "../server/app.js";
 *
 * const socket = new Socket("/socket", { params: { user: "ann" } });
 * const client = new Client<typeof app>(socket);
 * socket.connect();
 * ```
 *
 * If an app has sockets at several paths, the second type says which:
 * `Client<typeof app, "/socket">`.
 */
export class Client<App, Path extends string = string> {
  readonly #socket: PhoenixSocket;

  /** @param socket - a socket of the official client: `new Socket(…)` of the package `phoenix` */
  constructor(socket: PhoenixSocket) {
    this.#socket = socket;
  }

  /**
   * Returns a channel that is not joined yet.
   *
   * @param params - parameters of its joins. A function is called for each join; this needs release
   *   1.3 or later of the official client
   */
  channel<const Topic extends AppTopic<App, Path>>(
    topic: Topic,
    ...[params]: ParamsArgument<AppChannel<App, Topic, Path>["params"]>
  ): ClientChannel<AppChannel<App, Topic, Path>> {
    return new ClientChannel(topic, this.#socket.channel(topic, params ?? {}));
  }
}

/** A channel of a client. */
export class ClientChannel<Types extends ChannelTypes = ChannelTypes> {
  readonly topic: string;
  /** The channel of the official client, for everything else. */
  readonly channel: PhoenixChannel;
  /** Requests that are lost if the channel ends. */
  readonly #open = new Set<GiveUp>();

  constructor(topic: string, channel: PhoenixChannel) {
    this.topic = topic;
    this.channel = channel;
    const lose = (): void => {
      const message = `channel ${topic} must stay joined until it answers`;
      for (const giveUp of this.#open) giveUp(replyError("SIM_ERR_REPLY_LOST", message));
    };
    channel.onClose(lose);
    channel.onError(lose);
  }

  /**
   * Joins the channel. After a rejection the official client keeps trying, until you `leave`.
   *
   * @returns the payload of the join's reply
   * @throws SIM_ERR_REPLY_REFUSED, SIM_ERR_REPLY_TIMEOUT, or the signal's reason; as rejections
   */
  async join(options: RequestOptions = {}): Promise<Serialized<Types["joined"]>> {
    options.signal?.throwIfAborted();
    return awaitReply(`join of ${this.topic}`, this.channel.join(options.timeoutMs), options);
  }

  /** Leaves the channel. Resolves when the server has confirmed it. Throws as `join` does. */
  async leave(options: RequestOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await awaitReply(`leave of ${this.topic}`, this.channel.leave(options.timeoutMs), options);
  }

  /**
   * Calls a function with each payload of an event.
   *
   * @returns a function that stops it
   */
  on<Event extends keyof Types["out"] & string>(
    event: Event,
    callback: (payload: Serialized<Types["out"][Event]>) => void,
  ): () => void {
    const ref = this.channel.on(event, callback as (payload: unknown) => void);
    return () => this.channel.off(event, ref);
  }

  /** Sends an event without waiting for a reply. Until the join is answered, the event is queued. */
  push<Event extends keyof Types["in"] & string>(
    event: Event,
    ...[payload]: PayloadArgument<PayloadOf<Types["in"][Event]>>
  ): void {
    this.channel.push(event, payload ?? {});
  }

  /**
   * Sends an event whose handler replies, and waits for the reply.
   *
   * @returns the payload of a reply with status `ok`
   * @throws as rejections: SIM_ERR_REPLY_REFUSED, SIM_ERR_REPLY_TIMEOUT, or the signal's reason;
   *   SIM_ERR_REPLY_LOST if the channel ended or the connection broke before the reply (the handler
   *   may have run or not)
   */
  async request<Event extends RequestEvent<Types["in"]>>(
    event: Event,
    ...[payload, options = {}]: RequestArguments<PayloadOf<Types["in"][Event]>>
  ): Promise<ReplyOf<Types["in"][Event]>> {
    options.signal?.throwIfAborted();
    // A push before the join is answered cannot be lost: it is sent after the next successful join.
    const open = this.channel.state === "joined" ? this.#open : undefined;
    const push = this.channel.push(event, payload ?? {}, options.timeoutMs);
    return awaitReply(`${event} on ${this.topic}`, push, options, open);
  }
}
