/**
 * `npm run bench:check`: fails where a budget is breached.
 *
 * Every budget has five rounds of three seconds, in each of which Simurgh and the bare engine take
 * turns, first the one and then the other first; their median is judged. `--short`, for a machine
 * where others are at work, judges one round of a second with slack, and takes two more where that
 * is beyond it: so noise must come three times in a row to fail it.
 *
 * Runs on: a process of its own. Load and servers stay on 127.0.0.1.
 * Exit: 0 all within, 1 a breach or a run that failed, 2 a bad option.
 */

import { parseArgs } from "node:util";
import { measureRingRate } from "../micro/ring-rate.ts";
import type { Round } from "./comparison.ts";
import {
  BUDGETED,
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
  --short   one to three rounds of a second, judged with slack (five of three seconds)
  --help    show this
Exit: 0 all within their budgets, 1 a breach or a run that failed, 2 a bad option.
`;
const SERVERS = ["bare", "simurgh"] as const;
const RING_RECORDS = 3_000_000;

/** The long form's rounds are all judged; the short one's only as far as a breach needs. */
const LONG = { rounds: 5, seconds: 3, relationSlack: 1, ringSlack: 1 } as const;
const SHORT = {
  rounds: 3,
  seconds: 1,
  relationSlack: SHORT_SLACK.relation,
  ringSlack: SHORT_SLACK.ring,
} as const;
type Form = typeof LONG | typeof SHORT;

/** Measures until the form's rounds are full, or (short) until one of them is within. */
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
    const rate = await measureRingRate(RING_RECORDS);
    tell(`ring: ${(rate / 1e6).toFixed(1)} million/s`);
    rates.push(rate);
    return judgeRing(rates, form.ringSlack);
  });
}

async function check(form: Form): Promise<number> {
  tell("building native-bench");
  buildGenerator();
  const verdicts: Verdict[] = [];
  for (const [index, name] of BUDGETED.entries()) {
    tell(`${index + 1}/${BUDGETED.length + 1} ${name}`);
    verdicts.push(await checkWork(name, form));
  }
  tell(`${BUDGETED.length + 1}/${BUDGETED.length + 1} ring`);
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
