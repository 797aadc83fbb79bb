/**
 * `verbatim`: handlers that are given what a client wrote, and pass it on as it is.
 *
 * Runs on: shard.
 */

import { invalid } from "../definition-checks.ts";
import { kindOf } from "../errors.ts";
import { bytesOf } from "../protocol/binary-v2.ts";
import { JsonText } from "../protocol/json-text.ts";
import type { Message, Ref } from "../protocol/message.ts";
import type { Serializer } from "../protocol/serializer.ts";
import type { AnyTasks, ChannelSocket } from "./channel-socket.ts";
import type { AnswersLater } from "./schemas/declarations.ts";
import type { HandleInResult } from "../callbacks/results.ts";

/**
 * A handler of `handleIn` that is given payloads verbatim.
 *
 * The parts of a socket, not a socket that has them: so they are inferred where a definition stands
 * around it. Its payload is `never`, which fits whatever `in` declares: what it is given is text.
 */
export type VerbatimHandler<Assigns, Locals, Out, Info, Tasks, Answer, Context = object> = (
  socket: ChannelSocket<Assigns, Locals, Out, Info, Tasks, Context> & AnswersLater,
  payload: never,
) => HandleInResult<Answer> | Promise<HandleInResult<Answer>>;

const made = new WeakSet<object>();

/**
 * Makes a handler of `handleIn` that is given the payload as the client wrote it: a `JsonText`, or
 * the bytes of a binary frame, as any handler. Pushed, broadcast or replied with, the text goes out
 * as it came, and no JSON is written.
 *
 * ```ts
 * handleIn: {
 *   draw: verbatim((socket, stroke) => socket.broadcastFrom("draw", stroke)),
 * },
 * ```
 *
 * It is for payloads that nobody looks at: what the client wrote is what others get, with whatever
 * else it wrote. Where you decide by what `json()` gives, send that.
 *
 * @throws SIM_ERR_DEFINITION_INVALID where the handler is no function
 */
export function verbatim<
  Assigns,
  Locals = Record<string, unknown>,
  Out = Readonly<Record<string, unknown>>,
  Info = unknown,
  Tasks = AnyTasks,
  Answer = unknown,
  Context = object,
>(
  handler: (
    socket: ChannelSocket<Assigns, Locals, Out, Info, Tasks, Context> & AnswersLater,
    payload: JsonText | Uint8Array,
  ) => HandleInResult<Answer> | Promise<HandleInResult<Answer>>,
): VerbatimHandler<Assigns, Locals, Out, Info, Tasks, Answer, Context> {
  if (typeof handler !== "function") {
    throw invalid(`verbatim must be given a function, got ${kindOf(handler)}`);
  }
  // A function of its own: the one that was given may be an ordinary handler elsewhere.
  const own: typeof handler = (socket, payload) => handler(socket, payload);
  made.add(own);
  return own;
}

/** True for what `verbatim` made. */
export function isVerbatim(handler: unknown): boolean {
  return typeof handler === "function" && made.has(handler);
}

/** What a handler is given of a message. */
export interface Incoming {
  readonly event: unknown;
  readonly payload: unknown;
  readonly ref: Ref;
}

/**
 * Gives a message with its payload verbatim.
 *
 * @param frame - the text frame that it came in; undefined for bytes
 */
export function asVerbatim(
  { owner }: RoutedTo,
  message: Message,
  frame: string | undefined,
): Incoming {
  const { event, payload, ref } = message;
  if (bytesOf(payload)) return message;
  const text = frame === undefined ? undefined : owner.serializer.payloadText?.(frame, message);
  // What has no text of its own is written where somebody asks for it.
  return { event, ref, payload: text === undefined ? JsonText.of(payload) : new JsonText(text) };
}

interface RoutedTo {
  readonly owner: { readonly serializer: Serializer };
}
