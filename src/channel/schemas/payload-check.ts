/**
 * Checks payloads from clients against a channel's declarations: a schema, and a maximum size.
 *
 * Runs on: shard; created with the definition.
 * Full: a payload larger than `maxBytes` of its event reaches neither the schema nor the handler. An
 * answer has at most MOST_ISSUES issues, because a small payload can have very many, each with a long name.
 */

import type { StandardSchemaV1 } from "@standard-schema/spec";

import { headOf } from "../../cut-text.ts";
import { bytesOf } from "../../protocol/binary-v2.ts";
import { jsonOf } from "../../protocol/json-text.ts";
import type { Message } from "../../protocol/message.ts";
import type { Serializer } from "../../protocol/serializer.ts";
import { isThenable } from "../../callbacks/promises.ts";
import { error, type Refused } from "../../callbacks/results.ts";

/** Maximum number of issues in an answer. */
const MOST_ISSUES = 16;
/** Maximum length of an issue's message and of each name in its path, which the client may choose. */
const MOST_CHARACTERS = 512;

/** A callback that takes a payload. */
export type PayloadCallback = (socket: object, payload: unknown) => unknown;

/** A channel with the serializer for its client's frames. */
export interface SentBy {
  readonly owner: { readonly serializer: Serializer };
}

/** Replaces a payload that was too large, so that the message is refused when its turn comes. */
export class OversizePayload {
  readonly maxBytes: number;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Returns the reply that refuses the message. */
  refusal(): Refused {
    return error({ reason: "payload_too_large", max_bytes: this.maxBytes });
  }
}

/**
 * Wraps a callback so that it runs only if its payload matches a schema. Other payloads receive an
 * error reply.
 */
export function checked(schema: StandardSchemaV1, callback: PayloadCallback): PayloadCallback {
  const check = checkedBy(schema, "invalid_payload");
  return (socket, payload) => check(payload, (value) => callback(socket, value));
}

/**
 * Returns a function that checks a value. If it matches, `use` receives the output of the schema;
 * otherwise the function returns a refusal with the reason and the list of issues.
 */
export function checkedBy(
  schema: StandardSchemaV1,
  reason: string,
): (value: unknown, use: (parsed: unknown) => unknown) => unknown {
  const { validate } = schema["~standard"];
  return (value, use) => {
    const go = (result: StandardSchemaV1.Result<unknown>): unknown =>
      result.issues ? refusal(reason, result.issues) : use(result.value);
    const result = validate(value);
    return isThenable(result) ? result.then(go) : go(result);
  };
}

/** Reports whether a payload, as sent by the client, has more than `maxBytes`. */
export function isOversize(
  { owner }: SentBy,
  message: Message,
  frame: string | undefined,
  maxBytes: number,
): boolean {
  const bytes = bytesOf(message.payload);
  if (bytes) return bytes.length > maxBytes;
  // A UTF-16 code unit has at most three bytes in UTF-8, so most frames need no closer check.
  if (frame !== undefined && frame.length * 3 <= maxBytes) return false;
  const text = frame === undefined ? undefined : owner.serializer.payloadText?.(frame, message);
  return Buffer.byteLength(text ?? jsonOf(message.payload)) > maxBytes;
}

function refusal(reason: string, issues: readonly StandardSchemaV1.Issue[]): Refused {
  return error({ reason, issues: issues.slice(0, MOST_ISSUES).map(issueOf) });
}

/** Returns the part of an issue that is sent to the client: path and message. */
function issueOf({ message, path = [] }: StandardSchemaV1.Issue): object {
  return { path: path.map(segmentOf), message: headOf(message, MOST_CHARACTERS) };
}

function segmentOf(segment: PropertyKey | StandardSchemaV1.PathSegment): string | number {
  const key = typeof segment === "object" ? segment.key : segment;
  return typeof key === "number" ? key : headOf(String(key), MOST_CHARACTERS);
}
