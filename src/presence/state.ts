/**
 * The state of a presence: this replica's own rows, and the known rows of all other replicas.
 *
 * The state is a conflict-free replicated set. Deltas may be lost, delayed, duplicated or
 * reordered. States that have seen the same ticks of every replica have the same rows. Missed
 * changes are visible as gaps in a replica's clock, and are requested from that replica. No delta
 * changes the own rows.
 *
 * Runs on: shard. Pure: no clock, no I/O.
 * Full: only a limited number of own removals is remembered (`Removals`). The number of rows is
 *       limited only by the app.
 */

import { Diff } from "./diff.ts";
import {
  Replica,
  replicaId,
  Row,
  type Delta,
  type DeltaRow,
  type Meta,
  type ReplicaRef,
  type Span,
} from "./replica.ts";

/** One change that this replica made. */
export interface Change {
  /** The change as sent to other replicas, which merge it. */
  readonly delta: Delta;
  readonly diff: Diff;
}

/** The state of one replica. */
export class State {
  readonly own: Replica;
  readonly #removals: Removals;
  readonly #others = new Map<string, Replica>();
  readonly #topics = new TopicIndex();

  /** @param maxDeltaSize - number of own removals remembered for replicas that missed them */
  constructor(own: ReplicaRef, maxDeltaSize: number) {
    this.own = new Replica(own);
    this.#removals = new Removals(maxDeltaSize);
  }

  /** Number of changes that this replica has made. */
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

  /** Replaces the meta of a row of this replica, as a single change. */
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

  /** Returns the changes of this replica since a tick. */
  since(tick: number): Delta {
    const { rows } = this.own;
    const removed = this.#removals.since(tick);
    const later = removed ? [...rows.values()].filter(({ dot }) => dot > tick) : [];
    // The whole state is equivalent, and is smaller if few rows remain.
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

  /** All other known replicas. */
  others(): Iterable<Replica> {
    return this.#others.values();
  }

  /** Finds another replica, whatever its incarnation. */
  find(ref: Omit<ReplicaRef, "incarnation">): Replica | undefined {
    return this.#others.get(replicaId(ref));
  }

  /** Adds a replica that was unknown. */
  add(ref: ReplicaRef): Replica {
    const replica = new Replica(ref);
    this.#others.set(replica.id, replica);
    return replica;
  }

  /** Merges changes of another replica. The replica must be up, because its rows become visible. */
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

  /** Marks a replica as down. Its rows are kept but hidden. */
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

  /** Marks a replica as up. Its rows become visible again. */
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

  /** Removes a replica and its rows. */
  drop(replica: Replica): Diff {
    const diff = this.hide(replica);
    this.#others.delete(replica.id);
    return diff;
  }

  // -- rows --------------------------------------------------------------------------------------

  /** Iterates over the rows of a topic, grouped by key. */
  rowsOf(topic: string): Iterable<Row> {
    return this.#topics.rowsOf(topic);
  }

  /** Returns the rows under a key of a topic. */
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

/** Returns a span for each dot, in order, followed by the span from `after` to `to`. */
function spansOf(dots: readonly number[], after: number, to: number): Span[] {
  const spans: Span[] = dots.map((dot) => [dot - 1, dot]);
  if (to > after) spans.push([after, to]);
  return spans;
}

/** Returns the rows of a replica within a span, by whichever search is shorter. */
function rowsIn({ rows, seen }: Replica, [after, to]: Span): Row[] {
  // Ticks that have not been seen have no rows, so the search ends at the last seen tick.
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

/**
 * The rows that a replica has removed itself, and when, so that a replica that missed changes is
 * sent only those changes.
 *
 * Phoenix keeps its sent deltas, merged in three sizes. This class keeps two numbers for each
 * removed row. Together with the rows that still exist, they determine exactly the changes since
 * any tick. Beyond the limit, the oldest removals are forgotten. A replica that missed a forgotten
 * removal is sent the whole state.
 */
export class Removals {
  readonly #bound: number;
  /** Ticks at which rows were removed, and the dots of those rows, both in tick order. */
  #ticks: number[] = [];
  #dots: number[] = [];
  /** Index of the first removal that is remembered. */
  #front = 0;
  /** Removals up to this tick may have been forgotten. */
  #base = 0;

  /** @param bound - maximum number of removals to remember */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Records the removal of the row with a dot. Ticks must be increasing. */
  add(tick: number, dot: number): void {
    this.#ticks.push(tick);
    this.#dots.push(dot);
    if (this.#ticks.length - this.#front <= this.#bound) return;
    this.#base = this.#ticks[this.#front] as number;
    this.#front += 1;
    // Compact the arrays only after half of their entries have been dropped, to keep this cheap.
    if (this.#front * 2 < this.#ticks.length) return;
    this.#ticks = this.#ticks.slice(this.#front);
    this.#dots = this.#dots.slice(this.#front);
    this.#front = 0;
  }

  /**
   * Returns the dots of removed rows that a replica may still have, if it has seen everything up to
   * a tick.
   *
   * @returns the dots in order; undefined if some of the removals have been forgotten
   */
  since(tick: number): number[] | undefined {
    if (tick < this.#base) return undefined;
    const dots: number[] = [];
    for (let at = this.#ticks.length - 1; at >= this.#front; at -= 1) {
      if ((this.#ticks[at] as number) <= tick) break;
      const dot = this.#dots[at] as number;
      if (dot <= tick) dots.push(dot);
    }
    return dots.toSorted((one, other) => one - other);
  }
}

/** The visible rows, by topic and key. Most keys have a single row, which needs no set. */
export class TopicIndex {
  readonly #topics = new Map<string, Map<string, Row | Set<Row>>>();

  /** Number of topics that have rows. */
  get size(): number {
    return this.#topics.size;
  }

  add(row: Row): void {
    let keys = this.#topics.get(row.topic);
    if (!keys) this.#topics.set(row.topic, (keys = new Map()));
    const known = keys.get(row.key);
    if (known === undefined) keys.set(row.key, row);
    else if (known instanceof Set) known.add(row);
    else keys.set(row.key, new Set([known, row]));
  }

  delete(row: Row): void {
    const keys = this.#topics.get(row.topic);
    const known = keys?.get(row.key);
    if (known instanceof Set) {
      known.delete(row);
      const [last] = known;
      if (known.size === 1 && last) keys?.set(row.key, last);
    } else if (known === row) {
      keys?.delete(row.key);
      if (keys?.size === 0) this.#topics.delete(row.topic);
    }
  }

  /**
   * Iterates over the rows of a topic, grouped by key, oldest first.
   *
   * @yields each row
   */
  *rowsOf(topic: string): Iterable<Row> {
    for (const rows of this.#topics.get(topic)?.values() ?? []) {
      if (rows instanceof Set) yield* rows;
      else yield rows;
    }
  }

  /** Returns the rows under a key of a topic. */
  get(topic: string, key: string): readonly Row[] {
    const rows = this.#topics.get(topic)?.get(key);
    if (rows === undefined) return [];
    return rows instanceof Set ? [...rows] : [rows];
  }
}
