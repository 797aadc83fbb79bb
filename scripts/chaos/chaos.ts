/**
 * Tries faults one after the other, and reports what followed.
 *
 * Runs on: the chaos suite's process.
 */

import { FAILED, messageOf, tell } from "../bench/program.ts";
import { Trial, type Fault } from "./fault.ts";
import { FAULTS } from "./faults.ts";
import type { ChaosOptions } from "./options.ts";

/** What followed a fault. */
export interface Outcome {
  readonly name: string;
  readonly seconds: number;
  /** Why it was not as it must be. */
  readonly failure: string | undefined;
  /** Why it was not tried. */
  readonly skipped: string | undefined;
}

/** Tries one fault, and ends all that it started. */
export async function tryFault(fault: Fault, maxP99Ms: number): Promise<Outcome> {
  const { name } = fault;
  const skipped = fault.obstacle?.();
  if (skipped !== undefined) return { name, seconds: 0, failure: undefined, skipped };
  const startedAt = performance.now();
  const trial = new Trial(maxP99Ms);
  let failure: string | undefined;
  try {
    await fault.run(trial);
  } catch (error) {
    failure = messageOf(error);
  } finally {
    await trial.end();
  }
  return { name, seconds: (performance.now() - startedAt) / 1_000, failure, skipped: undefined };
}

/** Returns the faults that the options select. @throws TypeError if they select none */
export function selectFaults(
  options: Pick<ChaosOptions, "only" | "quick">,
  all: readonly Fault[] = FAULTS,
): readonly Fault[] {
  const chosen = chosenOf(options, all);
  if (chosen.length > 0) return chosen;
  throw new TypeError(
    `only must be the beginning of a fault's name, got ${options.only.join(", ")}`,
  );
}

function chosenOf(
  { only, quick }: Pick<ChaosOptions, "only" | "quick">,
  all: readonly Fault[],
): readonly Fault[] {
  return all.filter(
    ({ name, isQuick }) =>
      (!quick || isQuick) && (only.length === 0 || only.some((begin) => name.startsWith(begin))),
  );
}

/** About how long a fault takes (s). */
const QUICK_SECONDS = 3;
const OTHER_SECONDS = 7;

/** Estimates the time of the suite (s); undefined if it only lists faults, or selects none. */
export function secondsOfFaults(
  options: Pick<ChaosOptions, "list" | "only" | "quick">,
  all: readonly Fault[] = FAULTS,
): number | undefined {
  const tried = chosenOf(options, all).filter(({ obstacle }) => obstacle?.() === undefined);
  if (options.list || tried.length === 0) return undefined;
  const each = tried.map(({ isQuick }) => (isQuick ? QUICK_SECONDS : OTHER_SECONDS));
  return each.reduce((sum, seconds) => sum + seconds, 0);
}

/** Formats the verdict and the outcomes. */
export function formatOutcomes(outcomes: readonly Outcome[]): string {
  const failed = outcomes.filter(({ failure }) => failure !== undefined);
  const tried = outcomes.filter(({ skipped }) => skipped === undefined).length;
  const verdict =
    failed.length === 0
      ? `All ${tried} faults had the expected outcome.`
      : `${failed.length} of ${tried} faults did not have the expected outcome:`;
  const expectations = new Map(FAULTS.map(({ name, expectation }) => [name, expectation]));
  const details = failed.map(
    ({ name, failure }) =>
      `- ${name}: ${expectations.get(name) ?? ""}\n  ${failure ?? ""}\n  npm run chaos -- --only ${name}`,
  );
  const skipped = outcomes.flatMap((outcome) =>
    outcome.skipped === undefined ? [] : [`- ${outcome.name} was skipped: ${outcome.skipped}`],
  );
  return `${[verdict, ...details, ...skipped].join("\n")}\n`;
}

/** Runs the suite. @returns the exit code */
export async function chaos(options: ChaosOptions): Promise<number> {
  const faults = selectFaults(options);
  if (options.list) {
    for (const { name, expectation, isQuick } of faults) {
      process.stdout.write(`${name.padEnd(24)}${isQuick ? "quick  " : "       "}${expectation}\n`);
    }
    return 0;
  }
  const outcomes: Outcome[] = [];
  for (const [at, fault] of faults.entries()) {
    tell(`${at + 1}/${faults.length} ${fault.name}`);
    const outcome = await tryFault(fault, options.maxP99Ms);
    const { skipped, failure, seconds } = outcome;
    tell(
      skipped === undefined
        ? `  ${failure === undefined ? "ok" : `FAILED: ${failure}`}, ${seconds.toFixed(1)} s`
        : `  skipped: ${skipped}`,
    );
    outcomes.push(outcome);
  }
  process.stdout.write(formatOutcomes(outcomes));
  return outcomes.some(({ failure }) => failure !== undefined) ? FAILED : 0;
}
