/**
 * The official client with the types of an app: its channels by topic, and their events.
 *
 * Runs on: a client, in a browser or elsewhere.
 * Owns: the pending replies of its channels. The socket and its connection belong to the caller.
 */

import type { PayloadArgument } from "../channel/channel-socket.ts";
import type { ChannelTypes, ClientCall } from "../channel/schemas/declarations.ts";
import type { AppChannel, AppTopic } from "../endpoint/app-types.ts";
import { Resume, type HistoryParams, type Recovered } from "./resume.ts";
import {
  awaitReply,
  replyError,
  type GiveUp,
  type PhoenixPush,
  type RequestOptions,
} from "./reply.ts";

/**
 * The part of the official client's `Socket` that is used here; compatible with release 1.5 and later, and
 * with any of its type definitions.
 */
export interface PhoenixSocket {
  channel(topic: string, params?: object): PhoenixChannel;
}

/** The part of the official client's `Channel` that is used here. */
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
 * The type of a value after transmission: as parsed from JSON, or an ArrayBuffer for bytes, because
 * the official client sends and receives bytes as ArrayBuffers.
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

/**
 * The parameters of a channel, and the key `history`, unless the app uses that key itself or has not typed its
 * parameters.
 */
type WithHistory<Params> = unknown extends Params
  ? Params
  : "history" extends keyof Params
    ? Params
    : Params & { readonly history?: HistoryParams };

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
 * If an app has sockets at several paths, the second type parameter selects one:
 * `Client<typeof app, "/socket">`.
 */
export class Client<App, Path extends string = string> {
  readonly #socket: PhoenixSocket;

  /** @param socket - a socket of the official client: `new Socket(…)` of the package `phoenix` */
  constructor(socket: PhoenixSocket) {
    this.#socket = socket;
  }

  /**
   * Creates a channel, without joining it. If the server's channel declares a `history`, it resumes by itself:
   * after a lost connection or a restart of the server it gets the messages that it missed.
   *
   * @param params - join parameters, or a function that is called for each join. The key `history` asks for
   *   a backlog: `{ history: { last: 50 } }`
   */
  channel<const Topic extends AppTopic<App, Path>>(
    topic: Topic,
    ...[params]: ParamsArgument<WithHistory<AppChannel<App, Topic, Path>["params"]>>
  ): ClientChannel<AppChannel<App, Topic, Path>> {
    const resume = new Resume();
    const given: unknown = params;
    const channel = this.#socket.channel(topic, () =>
      resume.asking((typeof given === "function" ? given() : given) ?? {}),
    );
    resume.follow(channel);
    return new ClientChannel(topic, channel, resume);
  }
}

/** A channel of a client. */
export class ClientChannel<Types extends ChannelTypes = ChannelTypes> {
  readonly topic: string;
  /** The official client's channel, for everything that this class does not cover. */
  readonly channel: PhoenixChannel;
  /** Pending requests, which are lost if the channel ends. */
  readonly #open = new Set<GiveUp>();

  readonly #resume: Resume;

  constructor(topic: string, channel: PhoenixChannel, resume: Resume) {
    this.topic = topic;
    this.channel = channel;
    this.#resume = resume;
    const lose = (): void => {
      const message = `channel ${topic} must stay joined until it answers`;
      for (const giveUp of this.#open) giveUp(replyError("SIM_ERR_REPLY_LOST", message));
    };
    channel.onClose(lose);
    channel.onError(lose);
  }

  /**
   * Joins the channel. After a rejection, the official client keeps retrying until `leave` is
   * called.
   *
   * @returns the payload of the join's reply
   * @throws SIM_ERR_REPLY_REFUSED, SIM_ERR_REPLY_TIMEOUT or the signal's reason, as a rejection
   */
  async join(options: RequestOptions = {}): Promise<Serialized<Types["joined"]>> {
    options.signal?.throwIfAborted();
    const push = this.channel.join(options.timeoutMs);
    this.#resume.joining(push);
    return awaitReply(`join of ${this.topic}`, push, options);
  }

  /** Leaves the channel. Resolves when the server has confirmed this. Throws as `join` does. */
  async leave(options: RequestOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await awaitReply(`leave of ${this.topic}`, this.channel.leave(options.timeoutMs), options);
  }

  /**
   * Calls a function with each payload of an event.
   *
   * @returns a function that removes the callback
   */
  on<Event extends keyof Types["out"] & string>(
    event: Event,
    callback: (payload: Serialized<Types["out"][Event]>) => void,
  ): () => void {
    const ref = this.channel.on(event, callback as (payload: unknown) => void);
    return () => this.channel.off(event, ref);
  }

  /** Sends an event without waiting for a reply. The event is queued until the join is answered. */
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
   * @throws SIM_ERR_REPLY_REFUSED, SIM_ERR_REPLY_TIMEOUT or the signal's reason, as a rejection;
   *   SIM_ERR_REPLY_LOST if the channel ended or the connection broke before the reply, in which
   *   case the handler may or may not have run
   */
  async request<Event extends RequestEvent<Types["in"]>>(
    event: Event,
    ...[payload, options = {}]: RequestArguments<PayloadOf<Types["in"][Event]>>
  ): Promise<ReplyOf<Types["in"][Event]>> {
    options.signal?.throwIfAborted();
    // A push made before the join is answered is queued and sent after the next join, so it cannot
    // be lost.
    const open = this.channel.state === "joined" ? this.#open : undefined;
    const push = this.channel.push(event, payload ?? {}, options.timeoutMs);
    return awaitReply(`${event} on ${this.topic}`, push, options, open);
  }

  /**
   * Calls a function after each join and rejoin, if the server's channel declares a `history`. If `recovered`
   * is false, something is missing: load the state of the app again.
   *
   * @returns a function that removes the callback
   */
  onRecovered(callback: (recovered: Recovered) => void): () => void {
    return this.#resume.onRecovered(callback);
  }
}
