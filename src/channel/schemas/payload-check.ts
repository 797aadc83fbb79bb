/**
 * Holds what clients send against what a channel declares: by a schema, and by size.
 *
 * Runs on: shard; made with the definition.
 * Full: a payload with more bytes than its event may have never reaches its schema or handler.
 */

import type { StandardSchemaV1 } from "@standard-schema/spec";

import { bytesOf } from "../../protocol/binary-v2.ts";
import { jsonOf } from "../../protocol/json-text.ts";
import type { Message } from "../../protocol/message.ts";
import type { Serializer } from "../../protocol/serializer.ts";
import { isThenable } from "../../callbacks/promises.ts";
import { error, type Refused } from "../../callbacks/results.ts";

/** A callback with the payload that it is given. */
export type PayloadCallback = (socket: object, payload: unknown) => unknown;

/** Whose serializer knows how a frame was written. */
export interface SentBy {
  readonly owner: { readonly serializer: Serializer };
}

/** Stands for a payload that was too large, so that it is refused when it is its turn. */
export class OversizePayload {
  readonly maxBytes: number;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Gives the answer to it. */
  refusal(): Refused {
    return error({ reason: "payload_too_large", max_bytes: this.maxBytes });
  }
}

/** Returns a callback that runs with payloads that match a schema, and answers others. */
export function checked(schema: StandardSchemaV1, callback: PayloadCallback): PayloadCallback {
  const check = checkedBy(schema, "invalid_payload");
  return (socket, payload) => check(payload, (value) => callback(socket, value));
}

/**
 * Returns a check of values: `use` gets what the schema returned for one that matches; another is
 * refused with a reason, and a list of what is wrong.
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

/** True for a payload, as its client wrote it, of more bytes than may be. */
export function isOversize(
  { owner }: SentBy,
  message: Message,
  frame: string | undefined,
  maxBytes: number,
): boolean {
  const bytes = bytesOf(message.payload);
  if (bytes) return bytes.length > maxBytes;
  // A unit of a string has at most three bytes: most frames need no closer look.
  if (frame !== undefined && frame.length * 3 <= maxBytes) return false;
  const text = frame === undefined ? undefined : owner.serializer.payloadText?.(frame, message);
  return Buffer.byteLength(text ?? jsonOf(message.payload)) > maxBytes;
}

function refusal(reason: string, issues: readonly StandardSchemaV1.Issue[]): Refused {
  return error({ reason, issues: issues.map(issueOf) });
}

/** What a client is told of an issue: no more than where, and what. */
function issueOf({ message, path = [] }: StandardSchemaV1.Issue): object {
  return { path: path.map(segmentOf), message };
}

function segmentOf(segment: PropertyKey | StandardSchemaV1.PathSegment): string | number {
  const key = typeof segment === "object" ? segment.key : segment;
  return typeof key === "symbol" ? String(key) : key;
}
