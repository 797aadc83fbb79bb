/**
 * `verbatim`: handlers that receive a payload as sent by the client, to forward it unchanged.
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
 * A handler in `handleIn` that receives payloads verbatim.
 *
 * The type parameters are the individual parts of a socket, because an enclosing definition can
 * infer those. The payload is `never`, which is assignable to any type that `in` declares; the
 * handler receives text.
 */
export type VerbatimHandler<Assigns, Locals, Out, Info, Tasks, Answer, Context = object> = (
  socket: ChannelSocket<Assigns, Locals, Out, Info, Tasks, Context> & AnswersLater,
  payload: never,
) => HandleInResult<Answer> | Promise<HandleInResult<Answer>>;

const made = new WeakSet<object>();

/**
 * Creates a handler for `handleIn` that receives the payload as sent by the client: a `JsonText`
 * or, as in any handler, the bytes of a binary frame. When the handler pushes, broadcasts or
 * replies with this text, the text is sent unchanged without encoding JSON.
 *
 * ```ts
 * handleIn: {
 *   draw: verbatim((socket, stroke) => socket.broadcastFrom("draw", stroke)),
 * },
 * ```
 *
 * Use it for payloads that you do not inspect: recipients receive everything that the client sent.
 * If you validate the result of `json()`, send that instead of the text.
 *
 * @throws SIM_ERR_DEFINITION_INVALID if the handler is not a function
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
  // A new function, because the original may also be used as an ordinary handler.
  const own: typeof handler = (socket, payload) => handler(socket, payload);
  made.add(own);
  return own;
}

/** Reports whether a handler was created by `verbatim`. */
export function isVerbatim(handler: unknown): boolean {
  return typeof handler === "function" && made.has(handler);
}

/** The parts of a message that are passed to its handler. */
export interface Incoming {
  readonly event: unknown;
  readonly payload: unknown;
  readonly ref: Ref;
}

/**
 * Returns a message with its payload verbatim.
 *
 * @param frame - the text frame that contained the message; undefined for a binary frame
 */
export function asVerbatim(
  { owner }: RoutedTo,
  message: Message,
  frame: string | undefined,
): Incoming {
  const { event, payload, ref } = message;
  if (bytesOf(payload)) return message;
  const text = frame === undefined ? undefined : owner.serializer.payloadText?.(frame, message);
  // A payload without text in the frame is encoded when its text is first read.
  return { event, ref, payload: text === undefined ? JsonText.of(payload) : new JsonText(text) };
}

interface RoutedTo {
  readonly owner: { readonly serializer: Serializer };
}
