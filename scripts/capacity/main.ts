/**
 * `npm run capacity`: plans the resources for connections and a message rate from unit costs.
 *
 * Runs on: its own process. Only `--check` and `--measure` start servers; they stay on 127.0.0.1.
 * Exit code: 0 if done, 1 if failed, 2 for a bad option.
 */

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildGenerator } from "../bench/generator.ts";
import { runProgram, tell } from "../bench/program.ts";
import { checkSize, makeCheckTable, SIZES, type Checked } from "./check.ts";
import { measureUnitCosts } from "./measure.ts";
import { HELP, parseCapacityOptions, type CapacityOptions } from "./options.ts";
import { makePlan } from "./plan.ts";
import { makeCapacityReport } from "./report.ts";
import { simulateShard } from "./simulation.ts";
import { readUnitCosts } from "./unit-costs.ts";

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
    plan(options);
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

function plan(options: Extract<CapacityOptions, { readonly kind: "plan" }>): void {
  const { demand, machine } = options;
  const costs = readUnitCosts(options.costs ?? COSTS);
  const planned = makePlan(demand, machine, costs);
  const simulated = simulateShard(demand, planned, costs);
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ demand, machine, costs, plan: planned, shard: simulated })}\n`
      : makeCapacityReport(demand, machine, costs, planned, simulated),
  );
}

await runProgram({
  name: "capacity",
  help: HELP,
  parse: parseCapacityOptions,
  wantsHelp: ({ kind }) => kind === "help",
  run,
});
