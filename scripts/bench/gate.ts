/**
 * Judges measurements by their budgets. Pure functions.
 *
 * Runs on: the process of `bench:check`.
 */

import { inColumns } from "./columns.ts";
import { compare, median, type Round, type Spread } from "./comparison.ts";
import { FIGURES, WORKS, type Work, type WorkName } from "./works.ts";

/**
 * Returns the workloads that have a budget, in the order of the table.
 *
 * @param hasLatencies - whether to include those whose figure is a latency, which short rounds cannot measure
 */
export function budgeted(hasLatencies: boolean): readonly WorkName[] {
  return (Object.keys(WORKS) as readonly WorkName[]).filter((name) => {
    const { budget, figure }: Work = WORKS[name];
    return budget !== undefined && (hasLatencies || figure !== "latencyP99Us");
  });
}

/** Minimum rate of the ring, in records per second. It has no baseline to compare with. */
export const RING_BUDGET_PER_SECOND = 5_000_000;

/**
 * Slack of the short form, as a factor on a budget. The short form detects breakage, not small
 * regressions: in single rounds on a busy machine, ratios were up to 1.5 times too high, and the
 * ring's rate was down to a third. It judges the best round, since one good round shows that nothing is broken.
 */
export const SHORT_SLACK = { relation: 2, ring: 5 } as const;

/** One row: a figure and its budget. */
export interface Verdict {
  readonly title: string;
  /** Median, minimum and maximum; undefined if no round produced a figure. */
  readonly measured: Spread | undefined;
  /** The budget, and the limit beyond which the check fails, which is the budget with slack. */
  readonly budget: number;
  readonly limit: number;
  readonly isWithin: boolean;
  /** Formats a figure of this row for the table. */
  readonly show: (figure: number) => string;
  /** A remark for the reader; may be empty. */
  readonly note: string;
}

/**
 * Judges Simurgh's rounds of a workload that has a budget.
 *
 * @param slack - above 1 in the short form, which judges the best round instead of the median
 */
export function judgeWork(name: WorkName, rounds: readonly Round[], slack: number): Verdict {
  const work: Work = WORKS[name];
  const isShort = slack > 1;
  const comparison = compare(work, "simurgh", isShort ? raised(work, rounds) : rounds);
  const budget = work.budget ?? Number.POSITIVE_INFINITY;
  const limit = budget * slack;
  const measured = comparison?.relation;
  const { relation, unit, digits } = FIGURES[work.figure];
  const starved = comparison?.starved ?? 0;
  return {
    title: work.title,
    measured,
    budget,
    limit,
    isWithin: measured !== undefined && (isShort ? measured.min : measured.median) <= limit,
    show: (figure) =>
      relation === "ratio" ? `${figure.toFixed(2)}×` : `bare + ${figure.toFixed(digits)} ${unit}`,
    note: starved > 0 ? `waited for a core in ${starved} of ${rounds.length} rounds` : "",
  };
}

/** Returns rounds in which the bare engine's figure is at least the work's least one. */
function raised({ figure, leastBare }: Work, rounds: readonly Round[]): readonly Round[] {
  if (leastBare === undefined) return rounds;
  return rounds.map((round) => {
    const measured = round.bare?.[figure];
    if (!round.bare || measured === undefined) return round;
    return { ...round, bare: { ...round.bare, [figure]: Math.max(measured, leastBare) } };
  });
}

/** Judges the rates of the ring, in records per second. `slack` means the same as for a workload. */
export function judgeRing(rates: readonly number[], slack: number): Verdict {
  const measured = {
    median: median(rates),
    min: Math.min(...rates),
    max: Math.max(...rates),
  };
  const limit = RING_BUDGET_PER_SECOND / slack;
  return {
    title: "ring, 64 B records from thread to thread",
    measured,
    budget: RING_BUDGET_PER_SECOND,
    limit,
    isWithin: (slack > 1 ? measured.max : measured.median) >= limit,
    show: (figure) => `${(figure / 1e6).toFixed(1)} million/s`,
    note: "",
  };
}

/** Formats the table. Ratios compare server CPU per message with the bare engine's. */
export function makeGateTable(verdicts: readonly Verdict[]): string {
  const rows = [
    ["work", "median", "min to max", "budget", "fails at", ""],
    ...verdicts.map(({ title, measured, budget, limit, isWithin, show, note }) => [
      title,
      measured === undefined ? "none" : show(measured.median),
      measured === undefined ? "" : `${show(measured.min)} to ${show(measured.max)}`,
      show(budget),
      show(limit),
      [isWithin ? "within" : "BREACH", note].filter((text) => text !== "").join("; "),
    ]),
  ];
  return inColumns(rows);
}
