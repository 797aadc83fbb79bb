/**
 * Tells `handleMetas` of diffs, one after the other, and who is there after each.
 *
 * The state may be further by the time that a slow `fetch` has given a diff, so who is there is
 * kept apart, and only for presences that have the callback.
 *
 * Runs on: shard; one for each presence that has the callback.
 */

import type { Logger } from "../log/logger.ts";
import type { AnyCallbacks, PresenceContext, PresenceDiff, TrackedMeta } from "./definition.ts";
import { emptyRecord } from "./grouping.ts";

type Metas = Record<string, readonly TrackedMeta[]>;

/** What the handling of metas is made of. */
export interface MetasHandlingParts {
  readonly name: string;
  readonly callbacks: AnyCallbacks;
  readonly context: PresenceContext;
  readonly logger: Logger;
}

/** The callback, its state, and what it is told. */
export class MetasHandling {
  readonly #parts: MetasHandlingParts;
  readonly #topics = new Map<string, Metas>();
  /** What it has not been told: within the callback there may be tracked, and so come more. */
  readonly #untold: { readonly topic: string; readonly diff: PresenceDiff }[] = [];
  #isTelling = false;
  #state: { readonly value: unknown } | undefined;

  constructor(parts: MetasHandlingParts) {
    this.#parts = parts;
  }

  /** Tells of a diff: now, or from within the callback when that has returned. */
  tell(topic: string, diff: PresenceDiff): void {
    this.#untold.push({ topic, diff });
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let next = this.#untold.shift(); next; next = this.#untold.shift()) {
      this.#tellOne(next.topic, next.diff);
    }
    this.#isTelling = false;
  }

  #tellOne(topic: string, diff: PresenceDiff): void {
    const { name, callbacks, context, logger } = this.#parts;
    const metas = this.#add(topic, diff);
    try {
      this.#state ??= { value: callbacks.init?.(context) };
      const value = callbacks.handleMetas?.(topic, diff, metas, this.#state.value);
      this.#state = { value };
    } catch (error) {
      logger.log("presenceMetasFailed", { presence: name, topic, err: error });
    }
  }

  /** Adds a diff. @returns who is there on its topic now */
  #add(topic: string, { joins, leaves }: PresenceDiff): Metas {
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
