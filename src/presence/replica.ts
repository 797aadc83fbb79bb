/**
 * One replica of a presence: a shard that tracks presences, on this node or another, and its known
 * state.
 *
 *   (unknown) -message-> up --silent for downPeriodMs--> down --silent for permdownPeriodMs--> gone
 *                        | ^                               | |
 *                        | +------------message------------+ |
 *                        +--permdown, another incarnation----+--> gone
 *
 *   up     its rows are visible
 *   down   its rows are kept, but hidden
 *   gone   its rows are removed
 *
 * A replica increments its clock with each change: a join, a leave or an update. The tick at which
 * a row was added is the row's *dot*. The dot and the replica identify the row. Every row has a
 * single writer, its replica, which alone adds and removes it. So the known state of a replica is a
 * pair: the ticks that have been seen, and the rows of those ticks that still exist. To merge two
 * such pairs, each row is removed that the other side has seen but no longer has (an add-wins set
 * with dots and a causal context). The result does not depend on the order, number or route of the
 * messages.
 *
 * Runs on: shard.
 * Owns: `clock`, `heardMs` and `askedMs` belong to the replication, everything else to the state.
 */

import type { TrackedMeta } from "./definition.ts";

// -- seen ticks --------------------------------------------------------------------------------------

/** The ticks after `after`, up to and including `to`. */
export type Span = readonly [after: number, to: number];

/**
 * The ticks of a replica's clock that have been seen: all ticks up to one, and spans beyond it.
 *
 *   0 ...... through    after .. to     after .. to
 *   |###########|.........|#######|.......|####|        # seen
 *
 * A receiver that has seen a span knows every change made in it. Spans may arrive twice, late or
 * never. The set of seen ticks only grows, and a gap in it shows which changes were missed.
 */
export class Seen {
  #through = 0;
  /** Spans after `through`, sorted and disjoint. Empty unless changes have been missed. */
  #beyond: readonly Span[] = [];

  /** The tick up to which every tick has been seen. */
  get through(): number {
    return this.#through;
  }

  /** The last tick that has been seen. */
  get last(): number {
    return this.#beyond.at(-1)?.[1] ?? this.#through;
  }

  /** Reports whether a tick has been seen. */
  has(tick: number): boolean {
    return tick <= this.#through || this.#beyond.some(([after, to]) => tick > after && tick <= to);
  }

  /** Marks a span as seen. */
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

  /** Returns all seen spans, in order. */
  spans(): Span[] {
    return this.#through === 0 ? [...this.#beyond] : [[0, this.#through], ...this.#beyond];
  }
}

// -- rows --------------------------------------------------------------------------------------------

/** A meta: plain data with its refs, frozen. */
export type Meta = TrackedMeta;

/** A row as sent to other replicas. */
export interface DeltaRow {
  /** Tick of its replica's clock at which the row was added. */
  readonly dot: number;
  readonly topic: string;
  readonly key: string;
  readonly meta: Meta;
}

/** Returns the size of a row as JSON (bytes). */
export function bytesOf({ dot, topic, key, meta }: DeltaRow): number {
  return Buffer.byteLength(JSON.stringify([dot, topic, key, meta]));
}

/** One presence: the meta that one owner has tracked under a key of a topic. */
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
 * The changes that a replica made in some spans of its clock, as the rows of those spans that still
 * exist. Deltas are sent and merged as a unit. A delta can contain a single change, the changes of
 * a period, or the whole state; only the spans differ. A row that was added and removed within the
 * spans is left out. A removed row is represented only by the span of its dot, which is seen but
 * has no row.
 *
 *   a join at tick 7              spans 6-7              rows [7, …]
 *   the row with dot 3 leaves     spans 2-3, 7-8         no rows
 *   whole state at tick 8         spans 0-8              rows [7, …]
 */
export interface Delta {
  /** Sorted. */
  readonly spans: readonly Span[];
  readonly rows: readonly DeltaRow[];
}

// -- replicas ----------------------------------------------------------------------------------------

/** Identifies a replica and one start of it. */
export interface ReplicaRef {
  /** Name of the node. */
  readonly node: string;
  /** Number of the member on that node. A number is reused with another incarnation. */
  readonly member: number;
  /** Random number generated at each start. */
  readonly incarnation: number;
}

/** A replica and its known state. */
export class Replica {
  readonly ref: ReplicaRef;
  readonly id: string;
  status: "up" | "down" = "up";
  readonly seen = new Seen();
  /** Rows by dot; this shard's own rows are in the order of their dots. */
  readonly rows = new Map<number, Row>();
  /** The highest clock that the replica has reported. */
  clock = 0;
  /** Time of the last message from the replica. */
  heardMs = 0;
  /** Time of the last request for missing changes; -Infinity if nothing is missing. */
  askedMs = -Infinity;

  constructor(ref: ReplicaRef) {
    this.ref = ref;
    this.id = replicaId(ref);
  }
}

/** Returns the id of a replica, which is the same for all its incarnations. */
export function replicaId({ node, member }: Omit<ReplicaRef, "incarnation">): string {
  return `${member}@${node}`;
}
