/**
 * Who is there: this replica's own rows, and those of all others as far as they are known.
 *
 * A conflict-free replicated set. Deltas may be lost, late, doubled and in any order: states that
 * have seen the same of every replica have the same rows. What one has not seen shows in its clocks,
 * and asking the replica for all since then closes the hole. No delta touches the own rows.
 *
 * Runs on: shard. Pure: no clock, no I/O.
 * Full: own removals that are remembered have a bound (`removals`); rows have none but who tracks.
 */

import type { Span } from "./clock.ts";
import type { Delta } from "./delta.ts";
import { Diff } from "./diff.ts";
import { Removals } from "./removals.ts";
import { Replica, replicaId, Row, type DeltaRow, type Meta, type ReplicaRef } from "./replica.ts";
import { TopicIndex } from "./topic-index.ts";

/** One thing that this replica did. */
export interface Change {
  /** What others merge. */
  readonly delta: Delta;
  readonly diff: Diff;
}

/** The state of one replica. */
export class State {
  readonly own: Replica;
  readonly #removals: Removals;
  readonly #others = new Map<string, Replica>();
  readonly #topics = new TopicIndex();

  /** @param maxDeltaSize - own removals that are remembered for who missed them */
  constructor(own: ReplicaRef, maxDeltaSize: number) {
    this.own = new Replica(own);
    this.#removals = new Removals(maxDeltaSize);
  }

  /** How many things this replica has done. */
  get clock(): number {
    return this.own.seen.through;
  }

  // -- own rows ----------------------------------------------------------------------------------

  /** Adds a row of this replica. */
  join(topic: string, key: string, meta: Meta): Change & { readonly row: Row } {
    const dot = this.#tick();
    const row = this.#insert(this.own, { dot, topic, key, meta });
    const diff = new Diff();
    diff.join(row);
    return { row, diff, delta: { spans: [[dot - 1, dot]], rows: [row] } };
  }

  /** Puts another meta into the place of a row of this replica, in one step. */
  update(before: Row, meta: Meta): Change & { readonly row: Row } {
    const { topic, key } = before;
    const dot = this.#tick();
    this.#removeOwn(before, dot);
    const row = this.#insert(this.own, { dot, topic, key, meta });
    const diff = new Diff();
    diff.leave(before);
    diff.join(row);
    return { row, diff, delta: { spans: spansOf([before.dot], dot - 1, dot), rows: [row] } };
  }

  /** Removes a row of this replica. */
  leave(row: Row): Change {
    const tick = this.#tick();
    this.#removeOwn(row, tick);
    const diff = new Diff();
    diff.leave(row);
    return { diff, delta: { spans: spansOf([row.dot], tick - 1, tick), rows: [] } };
  }

  /** Gives what this replica did since a tick: what who has seen all up to it lacks. */
  since(tick: number): Delta {
    const { rows } = this.own;
    const removed = this.#removals.since(tick);
    const later = removed ? [...rows.values()].filter(({ dot }) => dot > tick) : [];
    // All there is says it too, and shorter where little of it is left.
    if (!removed || later.length + removed.length > rows.size) {
      return { spans: [[0, this.clock]], rows: [...rows.values()] };
    }
    return { spans: spansOf(removed, tick, this.clock), rows: later };
  }

  #tick(): number {
    const tick = this.clock + 1;
    this.own.seen.add([tick - 1, tick]);
    return tick;
  }

  #removeOwn(row: Row, tick: number): void {
    this.#remove(row);
    this.#removals.add(tick, row.dot);
  }

  // -- other replicas ----------------------------------------------------------------------------

  /** All other replicas that are known. */
  others(): Iterable<Replica> {
    return this.#others.values();
  }

  /** Finds another replica, of whatever incarnation. */
  find(ref: Omit<ReplicaRef, "incarnation">): Replica | undefined {
    return this.#others.get(replicaId(ref));
  }

  /** Adds a replica that was not known. */
  add(ref: ReplicaRef): Replica {
    const replica = new Replica(ref);
    this.#others.set(replica.id, replica);
    return replica;
  }

  /** Merges what another replica did. Its rows must be there: it is up. */
  merge(replica: Replica, delta: Delta): Diff {
    const diff = new Diff();
    if (replica === this.own) return diff;
    const standing = new Set(delta.rows.map(({ dot }) => dot));
    for (const span of delta.spans) {
      for (const row of rowsIn(replica, span)) {
        if (standing.has(row.dot)) continue;
        this.#remove(row);
        diff.leave(row);
      }
    }
    for (const row of delta.rows) {
      if (replica.seen.has(row.dot) || replica.rows.has(row.dot)) continue;
      diff.join(this.#insert(replica, row));
    }
    for (const span of delta.spans) replica.seen.add(span);
    return diff;
  }

  /** A replica is heard no more: its rows are kept, and not seen. */
  hide(replica: Replica): Diff {
    const diff = new Diff();
    if (replica.status === "down") return diff;
    replica.status = "down";
    for (const row of replica.rows.values()) {
      this.#topics.delete(row);
      diff.leave(row);
    }
    return diff;
  }

  /** A replica is heard again: its rows are there again. */
  show(replica: Replica): Diff {
    const diff = new Diff();
    if (replica.status === "up") return diff;
    replica.status = "up";
    for (const row of replica.rows.values()) {
      this.#topics.add(row);
      diff.join(row);
    }
    return diff;
  }

  /** Forgets a replica: it is gone, and so are its rows. */
  drop(replica: Replica): Diff {
    const diff = this.hide(replica);
    this.#others.delete(replica.id);
    return diff;
  }

  // -- rows --------------------------------------------------------------------------------------

  /** Goes through the rows of a topic, those of a key together. */
  rowsOf(topic: string): Iterable<Row> {
    return this.#topics.rowsOf(topic);
  }

  /** Gives the rows of a key. */
  get(topic: string, key: string): readonly Row[] {
    return this.#topics.get(topic, key);
  }

  #insert(replica: Replica, given: DeltaRow): Row {
    const row = new Row(replica, given);
    replica.rows.set(row.dot, row);
    this.#topics.add(row);
    return row;
  }

  #remove(row: Row): void {
    row.replica.rows.delete(row.dot);
    this.#topics.delete(row);
  }
}

/** Spans of single dots, in order, and of all after a tick up to the clock. */
function spansOf(dots: readonly number[], after: number, to: number): Span[] {
  const spans: Span[] = dots.map((dot) => [dot - 1, dot]);
  if (to > after) spans.push([after, to]);
  return spans;
}

/** Rows of a replica within a span, found by the shorter way. */
function rowsIn({ rows, seen }: Replica, [after, to]: Span): Row[] {
  // What was not seen has no row here: nothing to look for in what is new.
  const end = Math.min(to, seen.last);
  if (end - after > rows.size) {
    return [...rows.values()].filter(({ dot }) => dot > after && dot <= end);
  }
  const found: Row[] = [];
  for (let dot = after + 1; dot <= end; dot += 1) {
    const row = rows.get(dot);
    if (row) found.push(row);
  }
  return found;
}
