/**
 * Judges a soak: the verdict first, then the figures behind it.
 *
 * Runs on: the soak's process. Pure.
 */

import type { CanarySummary } from "../suites/canaries.ts";
import type { ServerLog } from "../suites/server-log.ts";
import type { Ended } from "../suites/server-process.ts";
import { growthIn, MIN_MARKS } from "./growth.ts";
import type { Ledger } from "./ledger.ts";
import { formatMark, MARKS_HEAD, type Mark } from "./marks.ts";
import type { SoakOptions } from "./options.ts";
import type { Left } from "./soak.ts";
import type { Tally } from "./stage.ts";

/** What a soak showed. */
export interface SoakOutcome {
  readonly options: SoakOptions;
  readonly ledger: Pick<Ledger, "faults" | "counts" | "deliveries" | "said" | "told">;
  readonly tally: Tally;
  readonly marks: readonly Mark[];
  /** From this minute on there were no restarts. */
  readonly calmFromMinute: number;
  readonly canaries: CanarySummary;
  /** Undefined if the server did not answer. */
  readonly left: Left | undefined;
  readonly ended: Ended | "killed" | "died";
  readonly log: Pick<ServerLog, "faults" | "count" | "end">;
}

/** The verdict, as text for people. */
export interface Verdict {
  readonly isGood: boolean;
  readonly text: string;
}

/** Judges a soak. */
export function judgeSoak(outcome: SoakOutcome): Verdict {
  const { options, ledger, tally, marks, canaries } = outcome;
  const faults = faultsOf(outcome);
  const calm = calmMarks(outcome);
  const lines = [
    faults.length === 0
      ? "Nothing was found."
      : `Faults found: ${faults.length} (seed ${options.seed}).`,
    ...faults.map((fault) => `- ${fault}`),
    `seed      ${options.seed}`,
    `checked   ${ledger.said} broadcasts, ${ledger.deliveries} deliveries; clients were notified ${ledger.told} times that they missed some`,
    `clients   ${tally.connections} connections (${tally.refused} refused), ${tally.churned} short lives, ${tally.sessions} sessions, ${tally.polls} polls, ${tally.slowReaders} pauses of slow readers`,
    `canaries  ${canaries.answered} of ${canaries.sent} answered (${canaries.cutOff} cut off by restarts), p50 ${canaries.p50Ms.toFixed(1)}, p99 ${canaries.p99Ms.toFixed(1)}, max ${canaries.maxMs.toFixed(1)} ms; their own thread was up to ${canaries.ownLatenessMs.toFixed(1)} ms late`,
    calm.length < MIN_MARKS
      ? `growth    not judged: ${calm.length} marks without restarts, of at least ${MIN_MARKS}`
      : `growth    judged by ${calm.length} marks without restarts`,
    MARKS_HEAD,
    ...marks.map(formatMark),
    "",
  ];
  return { isGood: faults.length === 0, text: lines.join("\n") };
}

function calmMarks({ marks, calmFromMinute }: SoakOutcome): readonly Mark[] {
  return marks.filter(({ minute }) => minute >= calmFromMinute);
}

function faultsOf(outcome: SoakOutcome): readonly string[] {
  const { ledger, tally, canaries, left, ended, log } = outcome;
  const faults: string[] = [];
  if (ended === "died") faults.push(`the server died; its last lines:\n${log.end.slice(-2_000)}`);
  else if (ended === "killed") faults.push("the server did not end on SIGTERM");
  else if (ended.code !== 0) {
    faults.push(`the server ended with ${ended.code ?? ended.signal} on SIGTERM`);
  }
  for (const kind of ["lost", "doubled", "disordered"] as const) {
    if (ledger.counts[kind] > 0) faults.push(`${ledger.counts[kind]} deliveries were ${kind}`);
  }
  faults.push(...ledger.faults.map(({ text }) => text), ...tally.wrong);
  faults.push(...log.faults.filter((line) => !isAsked(line)).map((line) => `log: ${line}`));
  for (const fault of canaries.faults) faults.push(`canary: ${fault}`);
  if (canaries.unanswered > 0) faults.push(`${canaries.unanswered} canary requests have no answer`);
  for (const [name, count] of Object.entries(left ?? {})) {
    if (count > 0) faults.push(`${count} ${name} were left when all clients had gone`);
  }
  faults.push(...growthIn(calmMarks(outcome)));
  return faults;
}

/** Reports whether a line was caused by the soak itself, which ends shards. */
function isAsked(line: string): boolean {
  return line.includes('"shard ended unexpectedly"');
}
