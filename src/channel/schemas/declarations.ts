/**
 * A channel's declarations about its events, and the types that are derived from them.
 *
 * Runs on: nowhere; types only.
 */

import type { StandardTypedV1 } from "@standard-schema/spec";

import type { Rate } from "../../limits/rate.ts";
import type { LaterReply } from "../later-reply.ts";
import type { JsonSchema, JsonSchemaValue } from "./json-schema.ts";
import type { HandleInResult, HandleOutResult, Stop } from "../../callbacks/results.ts";

/** Schema of an incoming payload: a Standard Schema from any library, or `typed()`. */
export type InSchema = StandardTypedV1;
/** Schema of an outgoing payload: a JSON Schema, or just a type (Standard Schema or `typed()`). */
export type OutSchema = StandardTypedV1 | JsonSchema;

/** Rules for an incoming event. */
export interface InEvent {
  readonly payload?: InSchema;
  /** Payload of the reply with status ok. */
  readonly reply?: OutSchema;
  /** Maximum size of the payload as sent by the client, in bytes: 1 to 2 147 483 647. */
  readonly maxBytes?: number;
  /**
   * Maximum rate at which a client may send the event on one topic. Messages beyond it are answered
   * with error `{reason: "rate_limited", retry_after}`, and the handler is not called.
   */
  readonly rate?: Rate;
}

/** The type of a channel's `in`: a schema or an InEvent by event. */
export type InDeclarations = Readonly<Record<string, InSchema | InEvent>>;
/** The type of a channel's `out`: a schema by event. */
export type OutDeclarations = Readonly<Record<string, OutSchema>>;
/** The type of `out` for a channel that does not declare it: any event, any payload. */
export type AnyOut = Readonly<Record<string, StandardTypedV1>>;

/** Input type of a schema: the payload as sent by the client. */
export type Sent<Schema> = Schema extends StandardTypedV1
  ? StandardTypedV1.InferInput<Schema>
  : JsonSchemaValue<Schema>;
/** Output type of a schema: the payload as received by a handler. */
type Parsed<Schema> = Schema extends StandardTypedV1
  ? StandardTypedV1.InferOutput<Schema>
  : unknown;

type PayloadSchema<Declaration> = Declaration extends StandardTypedV1
  ? Declaration
  : Declaration extends { readonly payload: infer Schema }
    ? Schema
    : undefined;

/** Payload that the handler of a declared event receives. */
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

/** Payloads that a channel sends, by event. `infer` makes compiler errors show the payloads. */
export type OutPayloads<Declarations> = Declarations extends infer Given
  ? { readonly [Event in keyof Given]: Sent<Given[Event]> }
  : never;

/** A channel while it handles a message from its client, which it may answer later. */
export interface AnswersLater<Answer = unknown> {
  /**
   * Returns an object that can answer the message that is being handled, at any time and from
   * anywhere in the shard. Equivalent to Phoenix's `socket_ref`.
   *
   * @throws SIM_ERR_NO_REF if the message has no ref, or if no message is being handled any more
   */
  replyLater(): LaterReply<Answer>;
}

// Method types, so that a handler can declare its payload: `echo(socket, payload: { n: number })`.

/** A handler in `handleIn`. */
export type InCallback<Socket, Payload, Answer> = {
  handle(
    socket: Socket & AnswersLater<Answer>,
    payload: Payload,
  ): HandleInResult<Answer> | Promise<HandleInResult<Answer>>;
}["handle"];

/** A handler in `intercept`. */
export type OutCallback<Socket, Payload> = {
  handle(socket: Socket, payload: Payload): HandleOutResult | Promise<HandleOutResult>;
}["handle"];

/** The type of a channel's `handleIn`: a handler for each declared event, and any others. */
export type InCallbacks<Socket, In> = {
  readonly [Event in keyof In & string]: InCallback<
    Socket,
    InPayload<In[Event]>,
    DeclaredReply<In[Event]>
  >;
} & Readonly<Record<string, InCallback<Socket, unknown, unknown>>>;

// -- types for clients -----------------------------------------------------------------------------

/** Payload that a client sends for one event, and the payload of the reply. */
export interface ClientCall<Payload, Answer> {
  readonly payload: Payload;
  readonly reply: Answer;
}

/** Types of a channel for its clients. */
export interface ChannelTypes {
  /** Parameters of the join. */
  readonly params: unknown;
  /** Payload of the join's answer. */
  readonly joined: unknown;
  /** Events that a client sends. */
  readonly in: Readonly<Record<string, ClientCall<unknown, unknown>>>;
  /** Payloads that the channel sends, by event. */
  readonly out: Readonly<Record<string, unknown>>;
}

/** Payload of the ok replies among a handler's results; `never` if there are none. */
export type OkPayload<Result> =
  Result extends Stop<infer Payload>
    ? Payload
    : Result extends { readonly status: infer Status; readonly payload: infer Payload }
      ? "ok" extends Status
        ? Payload
        : never
      : never;

/** Types of the events that a channel handles, for its clients. `infer` as above. */
export type ClientCalls<In, Handlers> = Handlers extends infer Given
  ? {
      // Without `handleIn` the inferred type has a string index; such a channel handles nothing.
      readonly [
        Event in keyof Given as string extends Event ? never : Event
      ]: Event extends keyof In
        ? ClientCall<SentPayload<In[Event]>, AnswerOf<In[Event], Given[Event]>>
        : ClientCall<PayloadOf<Given[Event]>, ReplyOf<Given[Event]>>;
    }
  : never;

type AnswerOf<Declaration, Handler> = Declaration extends { readonly reply: infer Schema }
  ? Sent<Schema>
  : ReplyOf<Handler>;
// The payload of a verbatim handler is `never`, and says nothing about what clients send.
type PayloadOf<Handler> = Handler extends (socket: never, payload: infer Payload) => unknown
  ? [Payload] extends [never]
    ? unknown
    : Payload
  : unknown;
type ReplyOf<Handler> = Handler extends (...given: never) => infer Result
  ? OkPayload<Awaited<Result>>
  : never;
