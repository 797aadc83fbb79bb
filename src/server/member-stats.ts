/**
 * Combines the counters of several threads: the two threads of a shard that is being restarted, a
 * shard's current and past threads, or all threads.
 *
 * Runs on: main.
 */

import { COUNTERS, COUNTER_NAMES, type CounterName } from "../memory/counters-layout.ts";

/** Counters of a shard, the link or main. */
export type MemberStats = Readonly<Record<CounterName, number>>;

/**
 * Combines the counters of several threads: sums totals and gauges, and takes the maximum of the
 * others.
 */
export function joinStats(parts: readonly MemberStats[]): MemberStats {
  const joined = COUNTER_NAMES.map((name) => {
    const values = parts.map((part) => part[name]);
    const { kind } = COUNTERS[name];
    const isSummed = kind === "total" || kind === "gauge";
    return [name, isSummed ? values.reduce((sum, one) => sum + one, 0) : Math.max(0, ...values)];
  });
  return Object.fromEntries(joined) as MemberStats;
}

/** Counters of ended threads by shard, kept so that totals never decrease. */
export class PastStats {
  readonly #byShard = new Map<number, MemberStats>();

  /** Adds the final totals and peaks of an ended thread. */
  add(shard: number, last: MemberStats): void {
    const lasting = COUNTER_NAMES.map((name) => {
      const { kind } = COUNTERS[name];
      return [name, kind === "total" || kind === "peak" ? last[name] : 0];
    });
    const past = Object.fromEntries(lasting) as MemberStats;
    this.#byShard.set(shard, joinStats([...this.of(shard), past]));
  }

  /** Returns the counters of a shard's ended threads, as a list of at most one entry. */
  of(shard: number): MemberStats[] {
    const past = this.#byShard.get(shard);
    return past ? [past] : [];
  }

  /** Returns the counters of all ended threads, one entry per shard. */
  all(): MemberStats[] {
    return [...this.#byShard.values()];
  }
}
