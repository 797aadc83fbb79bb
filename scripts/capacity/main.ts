/**
 * `npm run capacity`: plans the resources for connections and a message rate from unit costs.
 *
 * Runs on: its own process. Only `--check` and `--measure` start servers; they stay on 127.0.0.1.
 * Exit code: 0 if done, 1 if failed or if the plan is not feasible, 2 for a bad option.
 */

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildGenerator } from "../bench/generator.ts";
import { runProgram, tell } from "../bench/program.ts";
import { CHECK_SECONDS, checkSize, makeCheckTable, SIZES, type Checked } from "./check.ts";
import { MEASURE_SECONDS, measureUnitCosts } from "./measure.ts";
import { HELP, parseCapacityOptions, type CapacityOptions } from "./options.ts";
import { makePlan, type Plan } from "./plan.ts";
import { makeCapacityReport, verdictPart } from "./report.ts";
import { simulateShard } from "./simulation.ts";
import { readUnitCosts } from "./unit-costs.ts";
import { judgePlan, type Verdict } from "./verdict.ts";

const NOT_FEASIBLE = 1;
/** The project's own unit costs, relative to `dist/scripts/capacity`. */
const COSTS = fileURLToPath(new URL("../../../scripts/capacity/unit-costs.json", import.meta.url));

async function run(options: CapacityOptions): Promise<number> {
  if (options.kind === "measure") {
    buildGenerator();
    const costs = await measureUnitCosts(tell);
    writeFileSync(options.out, `${JSON.stringify(costs, undefined, 2)}\n`);
    tell(`wrote ${options.out}`);
  } else if (options.kind === "check") {
    await check(options.costs ?? COSTS);
  } else if (options.kind === "plan") {
    return plan(options);
  }
  return 0;
}

async function check(path: string): Promise<void> {
  const costs = readUnitCosts(path);
  buildGenerator();
  const checked: Checked[] = [];
  for (const [index, size] of SIZES.entries()) {
    tell(`${index + 1}/${SIZES.length} ${size} connections`);
    checked.push(await checkSize(size, costs));
  }
  process.stdout.write(makeCheckTable(checked));
}

function plan(options: Extract<CapacityOptions, { readonly kind: "plan" }>): number {
  const { demand, machine } = options;
  const costs = readUnitCosts(options.costs ?? COSTS);
  let planned: Plan;
  try {
    planned = makePlan(demand, machine, costs);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const verdict: Verdict = { isFeasible: false, faults: [error.message], cautions: [] };
    process.stdout.write(options.json ? `${JSON.stringify({ verdict })}\n` : verdictPart(verdict));
    return NOT_FEASIBLE;
  }
  const simulated = simulateShard(demand, planned, costs);
  const verdict = judgePlan(machine, planned);
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ verdict, demand, machine, costs, plan: planned, shard: simulated })}\n`
      : makeCapacityReport(demand, machine, costs, planned, simulated),
  );
  return verdict.isFeasible ? 0 : NOT_FEASIBLE;
}

await runProgram({
  name: "capacity",
  help: HELP,
  parse: parseCapacityOptions,
  wantsHelp: ({ kind }) => kind === "help",
  secondsOf: ({ kind }) => {
    if (kind === "measure") return MEASURE_SECONDS;
    return kind === "check" ? CHECK_SECONDS : undefined;
  },
  run,
});
