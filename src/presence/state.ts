/**
 * Who is there: this replica's own rows, and those of all others as far as they are known.
 *
 * A conflict-free replicated set. Deltas may be lost, late, doubled and in any order: states that
 * have seen the same of every replica have the same rows. What one has not seen shows in its clocks,
 * and asking the replica for everything since then closes the hole. No delta touches the own rows.
 *
 * Runs on: shard. Pure: no clock, no I/O.
 * Full: a bounded number of own removals is remembered (`Removals`); rows have no bound but the
 *       app's.
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

  /** @param maxDeltaSize - own removals that are remembered for replicas that missed them */
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

  /** Replaces the meta of a row of this replica, in one step. */
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

  /** Returns what this replica did since a tick: what a replica that has seen up to it lacks. */
  since(tick: number): Delta {
    const { rows } = this.own;
    const removed = this.#removals.since(tick);
    const later = removed ? [...rows.values()].filter(({ dot }) => dot > tick) : [];
    // Everything says the same, in less space if little of it is left.
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

  /** Finds another replica, of any incarnation. */
  find(ref: Omit<ReplicaRef, "incarnation">): Replica | undefined {
    return this.#others.get(replicaId(ref));
  }

  /** Adds a replica that was not known. */
  add(ref: ReplicaRef): Replica {
    const replica = new Replica(ref);
    this.#others.set(replica.id, replica);
    return replica;
  }

  /** Merges what another replica did. The replica must be up: its rows are there. */
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

  /** Marks a replica as down: it is heard no more, and its rows are kept but not seen. */
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

  /** Marks a replica as up: it is heard again, and its rows are there again. */
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

  /** Forgets a replica that is gone, and its rows. */
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

  /** Returns the rows of a key. */
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

/** Returns the spans of single dots, in order, and the span after a tick up to the clock. */
function spansOf(dots: readonly number[], after: number, to: number): Span[] {
  const spans: Span[] = dots.map((dot) => [dot - 1, dot]);
  if (to > after) spans.push([after, to]);
  return spans;
}

/** Returns the rows of a replica within a span, found by the shorter way. */
function rowsIn({ rows, seen }: Replica, [after, to]: Span): Row[] {
  // What was not seen has no row here, so there is nothing to look for in what is new.
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
 * Which of its own rows a replica removed, and when, so that a replica that missed something is
 * told only that.
 *
 * Others keep what they sent, merged in three sizes. This keeps two numbers for each row that went:
 * with the rows that stand, they give exactly what was done since any tick. Beyond the bound the
 * oldest are forgotten; a replica that missed more than is remembered is sent everything.
 */
export class Removals {
  readonly #bound: number;
  /** Ticks at which rows went, and the dots of these rows, both in order of the ticks. */
  #ticks: number[] = [];
  #dots: number[] = [];
  /** Index of the first that is remembered. */
  #front = 0;
  /** Removals up to this tick may be forgotten. */
  #base = 0;

  /** @param bound - how many are remembered */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Notes that the row of a dot went. Ticks come in order. */
  add(tick: number, dot: number): void {
    this.#ticks.push(tick);
    this.#dots.push(dot);
    if (this.#ticks.length - this.#front <= this.#bound) return;
    this.#base = this.#ticks[this.#front] as number;
    this.#front += 1;
    // Moving the rest down only once half has left keeps this cheap.
    if (this.#front * 2 < this.#ticks.length) return;
    this.#ticks = this.#ticks.slice(this.#front);
    this.#dots = this.#dots.slice(this.#front);
    this.#front = 0;
  }

  /**
   * Returns the dots whose rows a replica that has seen everything up to a tick may still hold.
   *
   * @returns in order; undefined if not all of them are remembered
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

/** Rows that are there, by topic and key. Most keys have one row, and keep it without a set. */
export class TopicIndex {
  readonly #topics = new Map<string, Map<string, Row | Set<Row>>>();

  /** Topics that have a row. */
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
   * Goes through the rows of a topic, those of a key together, the older first.
   *
   * @yields each row
   */
  *rowsOf(topic: string): Iterable<Row> {
    for (const rows of this.#topics.get(topic)?.values() ?? []) {
      if (rows instanceof Set) yield* rows;
      else yield rows;
    }
  }

  /** Returns the rows of a key. */
  get(topic: string, key: string): readonly Row[] {
    const rows = this.#topics.get(topic)?.get(key);
    if (rows === undefined) return [];
    return rows instanceof Set ? [...rows] : [rows];
  }
}
