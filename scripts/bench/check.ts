/**
 * `npm run bench:check`: fails if a budget is exceeded.
 *
 * Each budget is judged by the median of five rounds of three seconds. In each round Simurgh and
 * the bare engine take turns, with alternating order. `--short`, for a busy machine, judges one
 * round of one second with slack, and up to two more rounds if that fails, so noise causes a
 * failure only if it affects three rounds in a row. Of the ring it takes the fastest part of a round, because both of
 * its threads need a core at the same time.
 *
 * Runs on: its own process. Load and servers stay on 127.0.0.1.
 * Exit code: 0 if all budgets are met, 1 if one is exceeded or a run fails, 2 for a bad option.
 */

import { parseArgs } from "node:util";
import { measureRingRate } from "../micro/ring-rate.ts";
import type { Round } from "./comparison.ts";
import {
  budgeted,
  judgeRing,
  judgeWork,
  makeGateTable,
  SHORT_SLACK,
  type Verdict,
} from "./gate.ts";
import { buildGenerator } from "./generator.ts";
import { FAILED, runProgram, tell } from "./program.ts";
import { runRound } from "./rounds.ts";
import type { WorkName } from "./works.ts";

const HELP = `npm run bench:check -- [OPTIONS]
  --short   one to three rounds of one second, judged with slack (default: five of three seconds)
  --help    show this
Exit code: 0 if all budgets are met, 1 if one is exceeded or a run fails, 2 for a bad option.
`;
const SERVERS = ["bare", "simurgh"] as const;
const RING_RECORDS = 3_000_000;

/** The long form always runs all its rounds; the short form stops at the first good one. */
const LONG = { rounds: 5, seconds: 3, relationSlack: 1, ringSlack: 1, ringParts: 1 } as const;
const SHORT = {
  rounds: 3,
  seconds: 1,
  relationSlack: SHORT_SLACK.relation,
  ringSlack: SHORT_SLACK.ring,
  ringParts: 100,
} as const;
type Form = typeof LONG | typeof SHORT;

/** Measures all rounds of the form or, in the short form, until the budget is met. */
async function judgeInRounds(form: Form, judge: () => Promise<Verdict>): Promise<Verdict> {
  for (let round = 1; ; round++) {
    const verdict = await judge();
    if (round === form.rounds || (form === SHORT && verdict.isWithin)) return verdict;
  }
}

function checkWork(name: WorkName, form: Form): Promise<Verdict> {
  const rounds: Round[] = [];
  return judgeInRounds(form, async () => {
    const number = rounds.length + 1;
    const plan = { number, works: [name], servers: SERVERS, seconds: form.seconds };
    rounds.push((await runRound(plan, tell))[name] ?? {});
    return judgeWork(name, rounds, form.relationSlack);
  });
}

function checkRing(form: Form): Promise<Verdict> {
  const rates: number[] = [];
  return judgeInRounds(form, async () => {
    const rate = await measureRingRate(RING_RECORDS, form.ringParts);
    tell(`ring: ${(rate / 1e6).toFixed(1)} million/s`);
    rates.push(rate);
    return judgeRing(rates, form.ringSlack);
  });
}

async function check(form: Form): Promise<number> {
  tell("building native-bench");
  buildGenerator();
  const names = budgeted(form === LONG);
  const verdicts: Verdict[] = [];
  for (const [index, name] of names.entries()) {
    tell(`${index + 1}/${names.length + 1} ${name}`);
    verdicts.push(await checkWork(name, form));
  }
  tell(`${names.length + 1}/${names.length + 1} ring`);
  verdicts.push(await checkRing(form));
  process.stdout.write(makeGateTable(verdicts));
  return verdicts.every(({ isWithin }) => isWithin) ? 0 : FAILED;
}

await runProgram({
  name: "bench:check",
  help: HELP,
  parse: (words) => {
    const flag = { type: "boolean", default: false } as const;
    return parseArgs({ args: [...words], options: { short: flag, help: flag } }).values;
  },
  wantsHelp: ({ help }) => help,
  run: ({ short }) => check(short ? SHORT : LONG),
});
