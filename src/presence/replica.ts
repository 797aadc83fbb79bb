/**
 * One replica of a presence: a shard of this or another node, and what is known about it.
 *
 *   (unknown) --heard--> up --silent for downPeriodMs--> down --silent for permdownPeriodMs--> gone
 *                        | ^                               | |
 *                        | +-------------heard-------------+ |
 *                        +--permdown, another incarnation----+--> gone
 *
 *   up     its rows are shown
 *   down   its rows are kept, but hidden
 *   gone   it is forgotten
 *
 * A replica's clock advances by one with each change: a presence that joins, leaves, or is updated.
 * The tick at which a row was added is the row's *dot*. Together with the replica it identifies the
 * row. Every row has one writer, its replica, which alone adds and removes it. So the knowledge about
 * a replica is a pair: the ticks that were seen, and the rows from those ticks that still exist. Two
 * such pairs are merged by dropping every row that one side has seen but no longer has (an add-wins
 * set with dots and a causal context). The result does not depend on the order of the merges, on how
 * often they happen, or on the route of the messages.
 *
 * Runs on: shard.
 * Owns: `clock`, `heardMs` and `askedMs` belong to the replication, everything else to the state.
 */

import type { TrackedMeta } from "./definition.ts";

// -- what was seen of a clock ------------------------------------------------------------------------

/** A range of ticks: those after `after`, up to and including `to`. */
export type Span = readonly [after: number, to: number];

/**
 * The ticks of a replica's clock that have been seen: all up to one, and spans beyond it.
 *
 *   0 ...... through    after .. to     after .. to
 *   |###########|.........|#######|.......|####|        # seen
 *
 * If a span has been seen, all its changes are known. Spans may arrive twice, late or never. The set
 * only grows, and a hole in it shows what was missed.
 */
export class Seen {
  #through = 0;
  /** Spans beyond `#through`, in order and apart. Empty unless something was missed. */
  #beyond: readonly Span[] = [];

  /** All ticks up to this one have been seen. */
  get through(): number {
    return this.#through;
  }

  /** The last tick that has been seen. */
  get last(): number {
    return this.#beyond.at(-1)?.[1] ?? this.#through;
  }

  /** Reports whether a tick was seen. */
  has(tick: number): boolean {
    return tick <= this.#through || this.#beyond.some(([after, to]) => tick > after && tick <= to);
  }

  /** Adds a span. */
  add([after, to]: Span): void {
    if (to <= after || to <= this.#through) return;
    if (after <= this.#through && this.#beyond.length === 0) {
      this.#through = to;
      return;
    }
    let [start, end] = [Math.max(after, this.#through), to];
    const apart: Span[] = [];
    for (const span of this.#beyond) {
      if (span[1] < start || span[0] > end) apart.push(span);
      else [start, end] = [Math.min(start, span[0]), Math.max(end, span[1])];
    }
    if (start === this.#through) this.#through = end;
    else apart.push([start, end]);
    this.#beyond = apart.toSorted(([one], [other]) => one - other);
  }

  /** Returns all spans that have been seen, in order. */
  spans(): Span[] {
    return this.#through === 0 ? [...this.#beyond] : [[0, this.#through], ...this.#beyond];
  }
}

// -- rows --------------------------------------------------------------------------------------------

/** A meta: plain data, frozen, with its refs. */
export type Meta = TrackedMeta;

/** A row in a delta. */
export interface DeltaRow {
  /** Tick of its replica's clock at which it was added. */
  readonly dot: number;
  readonly topic: string;
  readonly key: string;
  readonly meta: Meta;
}

/** Returns the size of a row as JSON, in bytes. */
export function bytesOf({ dot, topic, key, meta }: DeltaRow): number {
  return Buffer.byteLength(JSON.stringify([dot, topic, key, meta]));
}

/** One presence, tracked by one owner under a key of a topic. */
export class Row implements DeltaRow {
  readonly replica: Replica;
  readonly dot: number;
  readonly topic: string;
  readonly key: string;
  readonly meta: Meta;

  constructor(replica: Replica, { dot, topic, key, meta }: DeltaRow) {
    this.replica = replica;
    this.dot = dot;
    this.topic = topic;
    this.key = key;
    this.meta = meta;
  }
}

/**
 * The changes of a replica in some spans of its clock, as they are sent and merged: the spans, and the
 * rows with dots in them that still exist. A delta may contain one change, a period, or everything;
 * only the spans differ. A row that was added and removed within the spans is not in it. A removed row
 * is reported by the span of its dot: it was seen, but is not among the rows.
 *
 *   one joins at tick 7         spans 6-7              rows [7, …]
 *   the row of dot 3 leaves     spans 2-3, 7-8         rows none
 *   everything, at tick 8       spans 0-8              rows [7, …]
 */
export interface Delta {
  /** In ascending order. */
  readonly spans: readonly Span[];
  readonly rows: readonly DeltaRow[];
}

// -- the replica -------------------------------------------------------------------------------------

/** Identifies a replica since its last start. */
export interface ReplicaRef {
  /** Name of its node. */
  readonly node: string;
  /** Number of its member. It may be reused, with another incarnation. */
  readonly member: number;
  /** Random number, drawn at each start. */
  readonly incarnation: number;
}

/** A replica, and what is known about it. */
export class Replica {
  readonly ref: ReplicaRef;
  readonly id: string;
  status: "up" | "down" = "up";
  readonly seen = new Seen();
  /** Rows by dot. Rows of this shard are in the order of their dots. */
  readonly rows = new Map<number, Row>();
  /** The highest clock that it has reported. */
  clock = 0;
  /** When its last message arrived. */
  heardMs = 0;
  /** When it was last asked for what is missing; -Infinity if nothing is. */
  askedMs = -Infinity;

  constructor(ref: ReplicaRef) {
    this.ref = ref;
    this.id = replicaId(ref);
  }
}

/** Returns the id of a replica, which does not depend on its incarnation. */
export function replicaId({ node, member }: Omit<ReplicaRef, "incarnation">): string {
  return `${member}@${node}`;
}
