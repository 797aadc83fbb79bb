/**
 * What a plain `EventSource` asks for in its query: topics, and the payload of their joins.
 *
 * Runs on: shard. Pure.
 * Full: more than 32 topics, or a payload of more than 4 096 bytes, are refused with a message that names the limit,
 *       because each join gets a copy of the payload.
 */

import { createHash } from "node:crypto";

/** The topics of a stream. */
export interface TopicRequest {
  readonly topics: readonly string[];
  /** Payload of each join. */
  readonly payload: Readonly<Record<string, unknown>>;
}

/** The position of the last message of a topic with a history. */
export interface Position {
  readonly epoch: string;
  readonly offset: string;
}

/** Maximum number of topics. */
export const MAX_TOPICS = 32;
/** Maximum size of the payload of a join. */
const MAX_PAYLOAD_BYTES = 4_096;
const MAX_EPOCH_LENGTH = 64;
/** A percent sign that starts no escape. It stands for itself, as in every query. */
const STRAY_PERCENT = /%(?![\da-f]{2})/gi;
const OFFSET = /^\d{1,16}$/;
const HASH_LENGTH = 8;

/** Reports whether the escapes of a query are UTF-8, without which `connect` refuses it. */
export function isUtf8Query(search: string): boolean {
  try {
    decodeURIComponent(search.replaceAll(STRAY_PERCENT, "%25"));
    return true;
  } catch {
    return false;
  }
}

/** Returns the topics in a query; undefined if there are none, an error message if they are refused. */
export function topicRequestOf(search: string): TopicRequest | string | undefined {
  if (!search.includes("topic=")) return undefined;
  const query = new URLSearchParams(search);
  const topics = query.getAll("topic");
  if (topics.length === 0) return undefined;
  if (topics.length > MAX_TOPICS) {
    return `topic must be given at most ${MAX_TOPICS} times, got ${topics.length}`;
  }
  const twice = topics.find((topic, at) => topics.indexOf(topic) < at);
  if (twice !== undefined) return "topic must name each topic once, got one twice";
  const json = query.get("payload");
  const payloadBytes = json === null ? 0 : Buffer.byteLength(json);
  if (payloadBytes > MAX_PAYLOAD_BYTES) {
    return `payload must have at most ${MAX_PAYLOAD_BYTES} bytes, got ${payloadBytes}`;
  }
  const payload = payloadOf(json);
  return payload ? { topics, payload } : "payload must be a JSON object";
}

/** Returns a short hash of topics in their order. */
export function hashOf(topics: readonly string[]): string {
  const digest = createHash("sha256").update(JSON.stringify(topics)).digest("base64url");
  return digest.slice(0, HASH_LENGTH);
}

/** Writes positions in the order of their topics. It needs no escapes in a header. */
export function positionsText(positions: readonly (Position | undefined)[]): string {
  return positions
    .map((position) => (position ? `${encodeURIComponent(position.epoch)}/${position.offset}` : ""))
    .join(",");
}

/**
 * Reads the positions in an id. They are not signed, but a join may ask for any position anyway.
 *
 * @returns undefined if it is malformed, or belongs to other topics
 */
export function tryPositions(
  rest: string,
  topics: readonly string[],
): readonly (Position | undefined)[] | undefined {
  const [hash, text = "", more] = rest.split(":");
  if (hash !== hashOf(topics) || more !== undefined) return undefined;
  const parts = text.split(",");
  if (parts.length !== topics.length) return undefined;
  return parts.map(tryPosition);
}

function tryPosition(text: string): Position | undefined {
  const [encoded = "", offset = ""] = text.split("/");
  if (!OFFSET.test(offset)) return undefined;
  try {
    const epoch = decodeURIComponent(encoded);
    return epoch.length <= MAX_EPOCH_LENGTH ? { epoch, offset } : undefined;
  } catch {
    return undefined;
  }
}

function payloadOf(json: string | null): TopicRequest["payload"] | undefined {
  if (json === null) return {};
  try {
    const payload: unknown = JSON.parse(json);
    const isObject = typeof payload === "object" && payload !== null && !Array.isArray(payload);
    return isObject ? (payload as TopicRequest["payload"]) : undefined;
  } catch {
    return undefined;
  }
}
