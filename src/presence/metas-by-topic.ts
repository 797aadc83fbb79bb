/**
 * Who is there by topic and key, as `handleMetas` is told it: one diff after the other.
 *
 * The state may be further by the time that a slow `fetch` has given a diff, so this is kept apart,
 * and only for presences that have the callback.
 *
 * Runs on: shard; one for each presence.
 */

import type { PresenceDiff, TrackedMeta } from "./definition.ts";
import { emptyRecord } from "./grouping.ts";

type Metas = Record<string, readonly TrackedMeta[]>;

/** The metas of all topics. */
export class MetasByTopic {
  readonly #topics = new Map<string, Metas>();

  /** Adds a diff. @returns who is there on its topic now */
  add(topic: string, { joins, leaves }: PresenceDiff): Metas {
    const metas = this.#topics.get(topic) ?? emptyRecord<readonly TrackedMeta[]>();
    for (const [key, { metas: joined }] of Object.entries(joins)) {
      metas[key] = [...(metas[key] ?? []), ...joined];
    }
    for (const [key, { metas: left }] of Object.entries(leaves)) {
      const gone = new Set(left.map(({ phx_ref: ref }) => ref));
      const rest = (metas[key] ?? []).filter(({ phx_ref: ref }) => !gone.has(ref));
      if (rest.length > 0) metas[key] = rest;
      else delete metas[key];
    }
    if (Object.keys(metas).length > 0) this.#topics.set(topic, metas);
    else this.#topics.delete(topic);
    return metas;
  }
}
