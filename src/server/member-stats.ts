/**
 * Numbers of threads, put together: of the two threads of a shard that is restarted, of a shard
 * and those it had before, of all.
 *
 * Runs on: main.
 */

import { COUNTERS, COUNTER_NAMES, type CounterName } from "../memory/counters-layout.ts";

/** Numbers of one shard, or of main. */
export type MemberStats = Readonly<Record<CounterName, number>>;

/** Joins the numbers of several threads: sums, and the highest where a sum says nothing. */
export function joinStats(parts: readonly MemberStats[]): MemberStats {
  const joined = COUNTER_NAMES.map((name) => {
    const values = parts.map((part) => part[name]);
    const { kind } = COUNTERS[name];
    const isSummed = kind === "total" || kind === "gauge";
    return [name, isSummed ? values.reduce((sum, one) => sum + one, 0) : Math.max(0, ...values)];
  });
  return Object.fromEntries(joined) as MemberStats;
}

/** What the threads that have ended did, by shard: so that totals only grow. */
export class PastStats {
  readonly #byShard = new Map<number, MemberStats>();

  /** Adds the last numbers of a thread that has ended. Its gauges are nobody's any more. */
  add(shard: number, last: MemberStats): void {
    const lasting = COUNTER_NAMES.map((name) => {
      const { kind } = COUNTERS[name];
      return [name, kind === "total" || kind === "peak" ? last[name] : 0];
    });
    const past = Object.fromEntries(lasting) as MemberStats;
    this.#byShard.set(shard, joinStats([...this.of(shard), past]));
  }

  /** Gives what the ended threads of a shard did; nothing where none has ended. */
  of(shard: number): MemberStats[] {
    const past = this.#byShard.get(shard);
    return past ? [past] : [];
  }

  /** Gives what all ended threads did. */
  all(): MemberStats[] {
    return [...this.#byShard.values()];
  }
}
