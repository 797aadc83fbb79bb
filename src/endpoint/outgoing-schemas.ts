/**
 * What channels declare of the events that they send, by topic: for broadcasts of the host and of
 * other code, whose payloads are written as if the channel had sent them.
 *
 * Runs on: shard, which has the endpoint; main, which gets the schemas as data when a shard is ready.
 */

import { OutWriters } from "../channel/schemas/out-writers.ts";
import { isRawMountDefinition, routeOf, type EndpointDefinition } from "./endpoint.ts";

/** One pattern of a mount, with the JSON Schemas that its channel declares. Can be cloned. */
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

/** Returns the schemas of an endpoint, by mount. */
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

/** Writes payloads of broadcasts that no channel sends. */
export class TopicWriters {
  /** Undefined if no channel declares a schema that has to be applied. */
  readonly #mounts: readonly (readonly Pattern[])[] | undefined;

  constructor(mounts: readonly (readonly OutgoingSchemas[])[]) {
    const patterns = mounts.map((rows) => rows.map(patternOf));
    const isNeeded = patterns.some((rows) => rows.some(({ writers }) => writers !== undefined));
    this.#mounts = isNeeded ? patterns : undefined;
  }

  /**
   * Returns what is sent as the payload of an event: written by the channel that the topic belongs to.
   * If several mounts have the topic, the first counts whose channel declares a schema.
   *
   * @throws SIM_ERR_PAYLOAD if the payload does not match the schema
   */
  written(topic: string, event: string, payload: unknown): unknown {
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
