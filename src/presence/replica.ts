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
 * Every row has one writer, its replica: it alone says when the row comes and goes. So what is
 * known of a replica is a pair: the ticks of its clock that were seen, and the rows of those that
 * still stand. Of two such pairs one is made by leaving out every row that the other has seen and
 * does not have (an add-wins set with dots and a causal context). In which order, how often and by
 * which way they arrived makes no difference.
 *
 * Runs on: shard.
 * Owns: `clock`, `heardMs` and `askedMs` are the replication's, all else is the state's.
 */

import { Seen } from "./clock.ts";
import type { TrackedMeta } from "./definition.ts";

/** Names a replica, and which start of it. */
export interface ReplicaRef {
  /** Name of its node. */
  readonly node: string;
  /** Its member of that node's exchange. A number is used again, under another incarnation. */
  readonly member: number;
  /** Drawn at each start. */
  readonly incarnation: number;
}

/** A meta: plain data, frozen, with its refs. */
export type Meta = TrackedMeta;

/** A row as it travels. */
export interface DeltaRow {
  /** Tick of its replica's clock at which it came: with the replica, its identity. */
  readonly dot: number;
  readonly topic: string;
  readonly key: string;
  readonly meta: Meta;
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

/** A replica, and what is known of it. */
export class Replica {
  readonly ref: ReplicaRef;
  readonly id: string;
  status: "up" | "down" = "up";
  readonly seen = new Seen();
  /** By their dots, the older first where they are this shard's own. */
  readonly rows = new Map<number, Row>();
  /** Its clock, as far as it has said it. */
  clock = 0;
  /** When something of it came last. */
  heardMs = 0;
  /** When it was asked last for what is missing; -Infinity: nothing is. */
  askedMs = -Infinity;

  constructor(ref: ReplicaRef) {
    this.ref = ref;
    this.id = replicaId(ref);
  }
}

/** Gives the name of a replica whatever its incarnation. */
export function replicaId({ node, member }: Omit<ReplicaRef, "incarnation">): string {
  return `${member}@${node}`;
}
