/**
 * Adds up the counters of threads: of both threads of a shard that is restarted, of a shard and its
 * earlier threads, of all.
 *
 * Runs on: main.
 */

import { COUNTERS, COUNTER_NAMES, type CounterName } from "../memory/counters-layout.ts";

/** Counters of one shard, or of main. */
export type MemberStats = Readonly<Record<CounterName, number>>;

/** Adds up the counters of several threads. Takes the maximum where a sum has no meaning. */
export function joinStats(parts: readonly MemberStats[]): MemberStats {
  const joined = COUNTER_NAMES.map((name) => {
    const values = parts.map((part) => part[name]);
    const { kind } = COUNTERS[name];
    const isSummed = kind === "total" || kind === "gauge";
    return [name, isSummed ? values.reduce((sum, one) => sum + one, 0) : Math.max(0, ...values)];
  });
  return Object.fromEntries(joined) as MemberStats;
}

/** Counters of threads that have ended, by shard, so that totals never shrink. */
export class PastStats {
  readonly #byShard = new Map<number, MemberStats>();

  /** Adds the last counters of a thread that has ended, without its gauges. */
  add(shard: number, last: MemberStats): void {
    const lasting = COUNTER_NAMES.map((name) => {
      const { kind } = COUNTERS[name];
      return [name, kind === "total" || kind === "peak" ? last[name] : 0];
    });
    const past = Object.fromEntries(lasting) as MemberStats;
    this.#byShard.set(shard, joinStats([...this.of(shard), past]));
  }

  /** Returns the counters of a shard's ended threads; an empty list if none has ended. */
  of(shard: number): MemberStats[] {
    const past = this.#byShard.get(shard);
    return past ? [past] : [];
  }

  /** Returns the counters of all ended threads, one entry per shard. */
  all(): MemberStats[] {
    return [...this.#byShard.values()];
  }
}
