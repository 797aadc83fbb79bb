/**
 * One replica of a presence: a shard that tracks, here or on another node, and what is known of it.
 *
 *   (unknown) --heard--> up --silent for downPeriodMs--> down --silent for permdownPeriodMs--> gone
 *                        | ^                               | |
 *                        | +-------------heard-------------+ |
 *                        +--permdown, another incarnation----+--> gone
 *
 *   up     its rows are there
 *   down   its rows are kept, and nobody sees them
 *   gone   nothing is left of it
 *
 * A replica's clock goes up by one with each thing it does: a presence that comes, goes, or is
 * updated. The tick at which a row came is the row's *dot*: together with the replica, its identity.
 * Every row has one writer, its replica, which alone says when the row comes and goes. So what is
 * known of a replica is a pair: the ticks that were seen, and the rows of those ticks that still
 * stand. Two such pairs are merged by leaving out every row that the other has seen and does not
 * have (an add-wins set with dots and a causal context). It makes no difference in which order, how
 * often and by which way they arrive.
 *
 * Runs on: shard.
 * Owns: `clock`, `heardMs` and `askedMs` belong to the replication, everything else to the state.
 */

import type { TrackedMeta } from "./definition.ts";

// -- what was seen of a clock ------------------------------------------------------------------------

/** The ticks after one, up to another. */
export type Span = readonly [after: number, to: number];

/**
 * Which ticks of a replica's clock have been seen: all up to one, and spans beyond it.
 *
 *   0 ...... through    after .. to     after .. to
 *   |###########|.........|#######|.......|####|        # seen
 *
 * Whoever has seen a span knows everything that was done in it. Spans may arrive twice, late or
 * never: what was seen only grows, and a hole in it shows what was missed.
 */
export class Seen {
  #through = 0;
  /** Spans beyond, in order; none touches another. There are some only while something is missed. */
  #beyond: readonly Span[] = [];

  /** Every tick up to this one was seen. */
  get through(): number {
    return this.#through;
  }

  /** The last tick that was seen. */
  get last(): number {
    return this.#beyond.at(-1)?.[1] ?? this.#through;
  }

  /** Reports whether a tick was seen. */
  has(tick: number): boolean {
    return tick <= this.#through || this.#beyond.some(([after, to]) => tick > after && tick <= to);
  }

  /** Notes that a span was seen. */
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

  /** Returns everything that was seen, in order. */
  spans(): Span[] {
    return this.#through === 0 ? [...this.#beyond] : [[0, this.#through], ...this.#beyond];
  }
}

// -- rows --------------------------------------------------------------------------------------------

/** A meta: plain data, frozen, with its refs. */
export type Meta = TrackedMeta;

/** A row as it travels. */
export interface DeltaRow {
  /** Tick of its replica's clock at which it came. */
  readonly dot: number;
  readonly topic: string;
  readonly key: string;
  readonly meta: Meta;
}

/** Returns the bytes of a row as JSON. */
export function bytesOf({ dot, topic, key, meta }: DeltaRow): number {
  return Buffer.byteLength(JSON.stringify([dot, topic, key, meta]));
}

/** One presence: what one owner has tracked under a key of a topic. */
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
 * What a replica did in some spans of its clock, and the rows of them that stand, by their dots: the
 * unit that is sent and merged. It may be one thing, a period of them, or everything; only the spans
 * differ. A row that came and went within the spans is not in it. A row that went is told by the
 * span of its dot alone: seen, and no longer there.
 *
 *   one joins at tick 7         spans 6-7              rows [7, …]
 *   the row of dot 3 leaves     spans 2-3, 7-8         rows none
 *   everything, at tick 8       spans 0-8              rows [7, …]
 */
export interface Delta {
  /** In order. */
  readonly spans: readonly Span[];
  readonly rows: readonly DeltaRow[];
}

// -- the replica -------------------------------------------------------------------------------------

/** Names a replica, and which start of it. */
export interface ReplicaRef {
  /** Name of its node. */
  readonly node: string;
  /** Its member of that node. A number is used again, under another incarnation. */
  readonly member: number;
  /** Drawn at each start. */
  readonly incarnation: number;
}

/** A replica, and what is known of it. */
export class Replica {
  readonly ref: ReplicaRef;
  readonly id: string;
  status: "up" | "down" = "up";
  readonly seen = new Seen();
  /** By their dots; this shard's own rows are in the order of their dots. */
  readonly rows = new Map<number, Row>();
  /** Its clock, as far as it has told it. */
  clock = 0;
  /** When it was heard last. */
  heardMs = 0;
  /** When it was asked last for what is missing; -Infinity: nothing is. */
  askedMs = -Infinity;

  constructor(ref: ReplicaRef) {
    this.ref = ref;
    this.id = replicaId(ref);
  }
}

/** Returns the name of a replica, whatever its incarnation. */
export function replicaId({ node, member }: Omit<ReplicaRef, "incarnation">): string {
  return `${member}@${node}`;
}
