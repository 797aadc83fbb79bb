/**
 * What a replica did in some spans of its clock: the unit that is sent, and merged.
 *
 * One thing that was done, a period of them, or all that there is: it is always the same, and only
 * the spans differ. A row that came and went within the spans is not in it. A row that went is told
 * by the span of its dot alone: seen, and no longer there.
 *
 *   one joins at tick 7         spans 6-7              rows [7, …]
 *   the row of dot 3 leaves     spans 2-3, 7-8         rows none
 *   all there is, at tick 8     spans 0-8              rows [7, …]
 *
 * Runs on: shard. Pure.
 * Full: a large one is cut into parts that are merged each by itself. A part is larger than asked
 *       for only where a single row is.
 */

import type { Span } from "./clock.ts";
import type { DeltaRow } from "./replica.ts";

/** Spans in order, and the rows of those that stand, by their dots. */
export interface Delta {
  readonly spans: readonly Span[];
  readonly rows: readonly DeltaRow[];
}

/** What a span takes as JSON, about. */
const SPAN_BYTES = 20;

/**
 * Cuts a delta into parts of about a size.
 *
 * @param maxBytes - of the rows and spans of one part, as JSON
 * @yields each part as it is asked for, at least one
 */
export function* partsOf({ spans, rows }: Delta, maxBytes: number): Generator<Delta, undefined> {
  let part = emptyPart();
  let bytes = 0;
  let next = 0;
  for (const [start, to] of spans) {
    let after = start;
    for (let row = rows[next]; row && row.dot <= to; row = rows[(next += 1)]) {
      const more = bytesOf(row);
      if (bytes > 0 && bytes + more > maxBytes) {
        if (row.dot - 1 > after) part.spans.push([after, row.dot - 1]);
        after = row.dot - 1;
        yield part;
        [part, bytes] = [emptyPart(), 0];
      }
      part.rows.push(row);
      bytes += more;
    }
    part.spans.push([after, to]);
    bytes += SPAN_BYTES;
    if (bytes > maxBytes) {
      yield part;
      [part, bytes] = [emptyPart(), 0];
    }
  }
  if (bytes > 0 || spans.length === 0) yield part;
  return undefined;
}

/** Bytes of a row as JSON. */
export function bytesOf({ dot, topic, key, meta }: DeltaRow): number {
  return Buffer.byteLength(JSON.stringify([dot, topic, key, meta]));
}

function emptyPart(): { readonly spans: Span[]; readonly rows: DeltaRow[] } {
  return { spans: [], rows: [] };
}
