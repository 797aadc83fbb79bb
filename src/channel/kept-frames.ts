/**
 * Frames of kept broadcasts, for channels that asked for a history: each carries its offset.
 *
 *   text             [null,"1000000000018","room:1","said",{…}]
 *   bytes            the binary frame, then a mark
 *   mark             [null,"1000000000018","room:1","history",{}]
 *
 * Runs on: shard. Pure, apart from user-defined serializers, which may throw.
 */

import { jsonV1, v1Broadcast } from "../protocol/json-v1.ts";
import { broadcastWithRef } from "../protocol/json-v2.ts";
import { EVENT } from "../protocol/reserved.ts";
import type { Frame, Serializer } from "../protocol/serializer.ts";
import type { Envelope } from "../pubsub/envelope.ts";
import type { TopicEntry } from "../pubsub/registry.ts";

/** The frames of one kept broadcast for one class of clients. */
export interface KeptFrames {
  readonly bytes: Uint8Array;
  readonly isBinary: boolean;
  /** The mark that follows a frame that cannot carry its offset. */
  readonly mark: Uint8Array | undefined;
}

/**
 * Returns the frames of a kept broadcast. They may be views of the envelope, valid as long as it is.
 *
 * @returns undefined if it has no form for clients of the serializer
 * @throws whatever a user-defined serializer throws
 */
export function keptFrames(
  serializer: Serializer,
  entry: TopicEntry<unknown>,
  envelope: Envelope,
): KeptFrames | undefined {
  const ref = String(envelope.position);
  if (serializer.broadcast) {
    const frame = serializer.broadcast(entry.topic, envelope.event(), envelope.payload(), ref);
    return { ...encoded(frame), mark: undefined };
  }
  if (serializer === jsonV1) {
    if (envelope.isBinary) return undefined;
    return { bytes: v1Broadcast(envelope, ref), isBinary: false, mark: undefined };
  }
  if (!envelope.isBinary) {
    return { bytes: broadcastWithRef(envelope.frame(), ref), isBinary: false, mark: undefined };
  }
  const { bytes } = encoded(markOf(serializer, entry.json, envelope.position));
  return { bytes: envelope.frame(), isBinary: true, mark: bytes };
}

/**
 * Returns the frame that tells an offset in place of a message.
 *
 * @throws whatever a user-defined serializer throws
 */
export function markOf(serializer: Serializer, topicJson: string, position: number): Frame {
  return serializer.push("null", topicJson, EVENT.history, {}, String(position));
}

function encoded(frame: Frame): { readonly bytes: Uint8Array; readonly isBinary: boolean } {
  return typeof frame === "string"
    ? { bytes: Buffer.from(frame), isBinary: false }
    : { bytes: frame, isBinary: true };
}
