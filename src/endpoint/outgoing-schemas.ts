/**
 * Schemas for the events that channels send, by topic. They also apply to broadcasts from the host
 * and other code, so that payloads are written as if the channel had sent them.
 *
 * Runs on: shards, which load the endpoint; main, which receives the schemas when a shard is ready.
 */

import { OutWriters } from "../channel/schemas/out-writers.ts";
import { checkUsersTopic } from "../protocol/broadcast-encoder.ts";
import { isRawMountDefinition, routeOf, type EndpointDefinition } from "./endpoint.ts";

/**
 * A mount's topic pattern, with the JSON Schemas that its channel declares. Supports structured
 * clone.
 */
export interface OutgoingSchemas {
  /** An exact topic, or a prefix that ends with `*`. */
  readonly pattern: string;
  readonly schemas: Readonly<Record<string, object>>;
}

interface Pattern {
  readonly text: string;
  readonly isPrefix: boolean;
  readonly writers: OutWriters | undefined;
}

/** Returns the schemas for each mount of an endpoint. */
export function outgoingSchemasOf({ sockets }: EndpointDefinition): OutgoingSchemas[][] {
  return Object.values(sockets).map((mount) => {
    if (isRawMountDefinition(mount)) return [];
    return Object.entries(mount.channels).map(([pattern, given]) => {
      const { channel } = routeOf(given);
      const schemas = "writers" in channel ? channel.writers?.schemas : undefined;
      return { pattern, schemas: schemas ?? {} };
    });
  });
}

/** Writes the payloads of broadcasts that are not sent by a channel. */
export class TopicWriters {
  /** Undefined if no channel declares a schema. */
  readonly #mounts: readonly (readonly Pattern[])[] | undefined;

  constructor(mounts: readonly (readonly OutgoingSchemas[])[]) {
    const patterns = mounts.map((rows) => rows.map(patternOf));
    const isNeeded = patterns.some((rows) => rows.some(({ writers }) => writers !== undefined));
    this.#mounts = isNeeded ? patterns : undefined;
  }

  /**
   * Returns the payload of an event as the topic's channel would write it. If several mounts match
   * the topic, the first one whose channel declares a schema for the event is used.
   *
   * @throws SIM_ERR_PAYLOAD if the payload does not match the schema, or the topic is not a string or
   *   is reserved
   */
  written(topic: string, event: string, payload: unknown): unknown {
    checkUsersTopic(topic);
    for (const rows of this.#mounts ?? []) {
      const found = rows.find(({ text, isPrefix }) =>
        isPrefix ? topic.startsWith(text) : topic === text,
      );
      if (found?.writers?.has(event)) return found.writers.written(event, payload);
    }
    return payload;
  }
}

function patternOf({ pattern, schemas }: OutgoingSchemas): Pattern {
  const isPrefix = pattern.endsWith("*");
  const text = isPrefix ? pattern.slice(0, -1) : pattern;
  return { text, isPrefix, writers: OutWriters.of(schemas) };
}
