/**
 * What a channel declares of its events, and the types that follow.
 *
 * Runs on: nowhere; types only.
 */

import type { StandardTypedV1 } from "@standard-schema/spec";

import type { Rate } from "../../limits/rate.ts";
import type { LaterReply } from "../later-reply.ts";
import type { JsonSchema, JsonSchemaValue } from "./json-schema.ts";
import type { HandleInResult, HandleOutResult, Stop } from "../../callbacks/results.ts";

/** Declares a payload that comes in: a schema of any library of Standard Schema, or `typed()`. */
export type InSchema = StandardTypedV1;
/** Declares a payload that goes out: a JSON Schema, or a type by a Standard Schema or `typed()`. */
export type OutSchema = StandardTypedV1 | JsonSchema;

/** An incoming event with more to say of it than its payload. */
export interface InEvent {
  readonly payload?: InSchema;
  /** Payload of the reply with status ok. */
  readonly reply?: OutSchema;
  /** Most bytes that the payload may have, as the client wrote it: 1 to 2 147 483 647. */
  readonly maxBytes?: number;
  /**
   * How often a client may send it on one topic; beyond that it is answered with error
   * `{reason: "rate_limited", retry_after}`, and the handler is not called.
   */
  readonly rate?: Rate;
}

/** `in` of a channel: a schema or an InEvent by event. */
export type InDeclarations = Readonly<Record<string, InSchema | InEvent>>;
/** `out` of a channel: a schema by event. */
export type OutDeclarations = Readonly<Record<string, OutSchema>>;
/** `out` of a channel that declares none: any event, any payload. */
export type AnyOut = Readonly<Record<string, StandardTypedV1>>;

/** What fits a schema before it is parsed: what a sender gives. */
export type Sent<Schema> = Schema extends StandardTypedV1
  ? StandardTypedV1.InferInput<Schema>
  : JsonSchemaValue<Schema>;
/** What a schema makes of it: what a handler gets. */
type Parsed<Schema> = Schema extends StandardTypedV1
  ? StandardTypedV1.InferOutput<Schema>
  : unknown;

type PayloadSchema<Declaration> = Declaration extends StandardTypedV1
  ? Declaration
  : Declaration extends { readonly payload: infer Schema }
    ? Schema
    : undefined;

/** Payload that the handler of a declared event gets. */
export type InPayload<Declaration> = Parsed<PayloadSchema<Declaration>>;
/** Payload that a client sends. */
export type SentPayload<Declaration> =
  PayloadSchema<Declaration> extends StandardTypedV1 ? Sent<PayloadSchema<Declaration>> : unknown;
/** Payload that the handler of a declared event replies with. */
export type DeclaredReply<Declaration> = Declaration extends StandardTypedV1
  ? unknown
  : Declaration extends { readonly reply: infer Schema }
    ? Sent<Schema>
    : unknown;

/** Payloads by event of what a channel sends. Through `infer`: so that errors show the payloads. */
export type OutPayloads<Declarations> = Declarations extends infer Given
  ? { readonly [Event in keyof Given]: Sent<Given[Event]> }
  : never;

/** A channel while it handles a message of its client, which it may answer later. */
export interface AnswersLater<Answer = unknown> {
  /**
   * Returns the means to answer the message that is being handled, at any time and from anywhere in
   * the shard. Phoenix's `socket_ref`.
   *
   * @throws SIM_ERR_NO_REF if the message has no ref, or none is being handled any more
   */
  replyLater(): LaterReply<Answer>;
}

// Methods, so that a handler may say what its payload is: `echo(socket, payload: { n: number })`.

/** A handler of `handleIn`. */
export type InCallback<Socket, Payload, Answer> = {
  handle(
    socket: Socket & AnswersLater<Answer>,
    payload: Payload,
  ): HandleInResult<Answer> | Promise<HandleInResult<Answer>>;
}["handle"];

/** A handler of `intercept`. */
export type OutCallback<Socket, Payload> = {
  handle(socket: Socket, payload: Payload): HandleOutResult | Promise<HandleOutResult>;
}["handle"];

/** `handleIn` of a channel: a handler for each event that is declared, and others beside. */
export type InCallbacks<Socket, In> = {
  readonly [Event in keyof In & string]: InCallback<
    Socket,
    InPayload<In[Event]>,
    DeclaredReply<In[Event]>
  >;
} & Readonly<Record<string, InCallback<Socket, unknown, unknown>>>;

// -- what a client may know ------------------------------------------------------------------------

/** What a client sends and gets for one event. */
export interface ClientCall<Payload, Answer> {
  readonly payload: Payload;
  readonly reply: Answer;
}

/** What a client may know of a channel. */
export interface ChannelTypes {
  /** Parameters of the join. */
  readonly params: unknown;
  /** Payload of the join's answer. */
  readonly joined: unknown;
  /** Events that a client sends. */
  readonly in: Readonly<Record<string, ClientCall<unknown, unknown>>>;
  /** Payloads by event of what the channel sends. */
  readonly out: Readonly<Record<string, unknown>>;
}

/** Payload of the replies with ok among what a handler gives; never: it gives none. */
export type OkPayload<Result> =
  Result extends Stop<infer Payload>
    ? Payload
    : Result extends { readonly status: infer Status; readonly payload: infer Payload }
      ? "ok" extends Status
        ? Payload
        : never
      : never;

/** What a client may know of the events that a channel handles. Through `infer`, as above. */
export type ClientCalls<In, Handlers> = Handlers extends infer Given
  ? {
      // A channel without `handleIn` is inferred to have an index: it handles nothing.
      readonly [
        Event in keyof Given as string extends Event ? never : Event
      ]: Event extends keyof In
        ? ClientCall<SentPayload<In[Event]>, AnswerOf<In[Event], Given[Event]>>
        : ClientCall<TakenBy<Given[Event]>, GivenBy<Given[Event]>>;
    }
  : never;

type AnswerOf<Declaration, Handler> = Declaration extends { readonly reply: infer Schema }
  ? Sent<Schema>
  : GivenBy<Handler>;
// A verbatim handler's is never, which says nothing.
type TakenBy<Handler> = Handler extends (socket: never, payload: infer Payload) => unknown
  ? [Payload] extends [never]
    ? unknown
    : Payload
  : unknown;
type GivenBy<Handler> = Handler extends (...given: never) => infer Result
  ? OkPayload<Awaited<Result>>
  : never;
