/**
 * Rows by their keys, in the form that clients get them: `{ key: { metas: [...] } }`.
 *
 * Objects here have no prototype: any string is a key, `__proto__` too, and finds nothing but what
 * was tracked under it.
 *
 * Runs on: shard. Pure.
 */

import { kindOf } from "../errors.ts";
import type { PresenceDiff, Presences } from "./definition.ts";
import type { TopicDiff } from "./diff.ts";
import type { Meta, Row } from "./replica.ts";

/** Groups rows by key. Entries and their lists are new, metas are not. */
export function presencesOf(rows: Iterable<Row>): Presences {
  const presences = emptyRecord<Presences[string]>();
  for (const { key, meta } of rows) {
    const entry = presences[key];
    if (entry) (entry.metas as Meta[]).push(meta);
    else presences[key] = { metas: [meta] };
  }
  return presences;
}

/** Groups a diff. */
export function presenceDiffOf({ joins, leaves }: TopicDiff): PresenceDiff {
  return { joins: presencesOf(joins), leaves: presencesOf(leaves) };
}

/** Says what is wrong with what a `fetch` gave; undefined: nothing. */
export function problemOf(fetched: unknown): string | undefined {
  if (typeof fetched !== "object" || fetched === null || Array.isArray(fetched)) {
    return `an object of entries by key, got ${kindOf(fetched)}`;
  }
  for (const [key, entry] of Object.entries(fetched)) {
    const { metas } = Object(entry) as { readonly metas?: unknown };
    if (Array.isArray(metas)) continue;
    return `metas in each entry, got ${kindOf(metas)} at ${JSON.stringify(key)}`;
  }
  return undefined;
}

/** Makes an object that has nothing, not even what all objects have. */
export function emptyRecord<Value>(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}
