/**
 * `npm run load:shards`: sweeps options of the server, and recommends values for this machine.
 *
 * Each turn starts a new server with its setting in the environment, loads it at a fixed rate, and then
 * searches for the highest rate. Settings take turns, so that changes of the machine affect all of them.
 * It also measures what a delivery costs over shards, beside the bare engine.
 *
 * Runs on: its own process. Load and servers stay on 127.0.0.1.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildGenerator } from "../../bench/generator.ts";
import { BAD_OPTION, runProgram, tell } from "../../bench/program.ts";
import { Steps } from "../../bench/time-left.ts";
import { whyPerfDoesNotCount } from "../calls/perf.ts";
import { formatRate } from "../charts/formats.ts";
import { describeMachine } from "../machine.ts";
import { commandOf, optionsIn } from "../record.ts";
import { FIGURE_NAMES, figuresOf } from "./comparison.ts";
import {
  COST_LOAD,
  describeCostMarks,
  figuresIn,
  makeCell,
  makeCostTable,
  nameOf,
  showCost,
  type CostRecord,
  type CostSetting,
  type CostTurn,
} from "./cost.ts";
import { measureCost } from "./cost-turn.ts";
import { DIMENSIONS, environmentOf } from "./dimensions.ts";
import { HELP, parseSweepOptions, type SweepOptions } from "./options.ts";
import { describeMarks, makeSweepPage } from "./page.ts";
import { planCosts, planTurns, secondsOf, type PlannedTurn } from "./plan.ts";
import { recommend, showFigure, type Measured } from "./recommendation.ts";
import { keepEarlier, type SweepRecord } from "./record.ts";
import { measureTurn, type Turn } from "./turn.ts";

async function sweep(options: SweepOptions, words: readonly string[]): Promise<void> {
  tell("building native-bench");
  buildGenerator();
  const earlier = options.keep ? readEarlier(options.out) : undefined;
  const startedAt = new Date().toISOString();
  const measured = await measureAll(options);
  const command = commandOf("load:shards", unswept(), words);
  const own: SweepRecord = {
    version: 1,
    machine: describeMachine(),
    load: options.load,
    boundMs: options.boundMs,
    dimensions: measured.map((one) => ({
      ...one,
      startedAt,
      command,
      recommendation: recommend(one),
    })),
    cost: options.cost === undefined ? null : await measureCosts(options.cost, options, command),
  };
  const record = earlier === undefined ? own : keepEarlier(own, earlier);
  for (const { recommendation } of own.dimensions) {
    for (const reason of recommendation.reasons) process.stdout.write(`${reason}\n`);
  }
  if (own.cost) process.stdout.write(makeCostTable(own.cost));
  for (const file of write(options.out, record)) tell(file);
}

async function measureAll(options: SweepOptions): Promise<readonly Measured[]> {
  const turns = new Map(options.dimensions.map(({ name }) => [name, new Map<string, Turn[]>()]));
  const plan = planTurns(options.dimensions, options.rounds);
  const steps = new Steps(plan.length);
  for (const planned of plan) {
    const { dimension, value } = planned;
    const turn = await measureTurn(options, environmentOf(dimension.name, value));
    const byValue = turns.get(dimension.name);
    byValue?.set(value, [...(byValue.get(value) ?? []), turn]);
    tell(steps.done(describeTurn(planned, turn)));
  }
  return options.dimensions.map((dimension) => ({
    dimension,
    turns: Object.fromEntries(turns.get(dimension.name) ?? []),
  }));
}

function describeTurn({ dimension, value, round }: PlannedTurn, turn: Turn): string {
  const figures = FIGURE_NAMES.map((name) => {
    const [figure] = figuresOf(name, [turn]);
    return figure === undefined ? "none" : showFigure(name, figure.value);
  });
  const marks = describeMarks(turn);
  const setting = `${DIMENSIONS[dimension.name].variable}=${value}, round ${round}`;
  return `${setting}: ${figures.join(", ")}${marks === "" ? "" : `; ${marks}`}`;
}

async function measureCosts(
  setting: CostSetting,
  { rounds, seconds }: Pick<SweepOptions, "rounds" | "seconds">,
  command: string,
): Promise<CostRecord> {
  const whyNoCalls = whyPerfDoesNotCount() ?? null;
  if (whyNoCalls !== null) tell(`system calls are not counted: ${whyNoCalls}`);
  const startedAt = new Date().toISOString();
  const cells = setting.rates.flatMap((rate) =>
    [null, ...setting.shards].map((shards) => ({ rate, shards, turns: [] as CostTurn[] })),
  );
  const plan = planCosts(setting, rounds);
  const steps = new Steps(plan.length);
  for (const { shards, rate, round } of plan) {
    const turn = await measureCost({ shards, rate, seconds, countsCalls: whyNoCalls === null });
    cells.find((cell) => cell.shards === shards && cell.rate === rate)?.turns.push(turn);
    const figures = figuresIn({ whyNoCalls }).map((name) => showCost(name, turn[name]));
    const marks = describeCostMarks(turn.marks);
    const found = `${figures.join(", ")}${marks === "" ? "" : `; ${marks}`}`;
    tell(steps.done(`${nameOf(shards)}, ${formatRate(rate)}, round ${round}: ${found}`));
  }
  return {
    ...setting,
    startedAt,
    command,
    load: COST_LOAD,
    whyNoCalls,
    cells: cells.map(({ shards, rate, turns }) => makeCell(shards, rate, turns)),
  };
}

/** Returns the options in the environment of this process that the sweep does not change. */
function unswept(): Readonly<Record<string, string>> {
  const swept = new Set<string>(Object.values(DIMENSIONS).map(({ variable }) => variable));
  return Object.fromEntries(
    Object.entries(optionsIn(process.env)).filter(([name]) => !swept.has(name)),
  );
}

function readEarlier(folder: string): SweepRecord | undefined {
  const file = join(folder, "shards.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as SweepRecord) : undefined;
}

function write(folder: string, record: SweepRecord): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const [json, html] = [join(folder, "shards.json"), join(folder, "shards.html")];
  writeFileSync(json, `${JSON.stringify(record, undefined, 2)}\n`);
  writeFileSync(html, makeSweepPage(record));
  return [json, html];
}

async function run(options: SweepOptions, words: readonly string[]): Promise<number> {
  try {
    await sweep(options, words);
    return 0;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    tell(`load:shards: ${error.message}`);
    return BAD_OPTION;
  }
}

await runProgram({
  name: "load:shards",
  help: HELP,
  parse: parseSweepOptions,
  wantsHelp: ({ help }) => help,
  secondsOf,
  run,
});
