/**
 * `npm run capacity`: what a number of connections and a rate take, from measured unit costs.
 *
 * Runs on: a process of its own. Only `--check` and `--measure` start servers; they stay on 127.0.0.1.
 * Exit: 0 done, 1 failed, 2 a bad option.
 */

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildGenerator } from "../bench/generator.ts";
import { checkSize, makeCheckTable, SIZES, type Checked } from "./check.ts";
import { measureUnitCosts } from "./measure.ts";
import { HELP, parseCapacityOptions, type CapacityOptions } from "./options.ts";
import { makePlan } from "./plan.ts";
import { makeCapacityReport } from "./report.ts";
import { simulateShard } from "./simulation.ts";
import { readUnitCosts } from "./unit-costs.ts";

const FAILED = 1;
const BAD_OPTION = 2;
/** From `dist/scripts/capacity` to the file that the project keeps. */
const COSTS = fileURLToPath(new URL("../../../scripts/capacity/unit-costs.json", import.meta.url));

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function run(options: CapacityOptions): Promise<void> {
  if (options.kind === "help") {
    process.stdout.write(HELP);
  } else if (options.kind === "measure") {
    buildGenerator();
    const costs = await measureUnitCosts(tell);
    writeFileSync(options.out, `${JSON.stringify(costs, undefined, 2)}\n`);
    tell(`written to ${options.out}`);
  } else if (options.kind === "check") {
    await check(options.costs ?? COSTS);
  } else {
    plan(options);
  }
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

function readOptions(): CapacityOptions | undefined {
  try {
    return parseCapacityOptions(process.argv.slice(2));
  } catch (error) {
    tell(`capacity: ${error instanceof Error ? error.message : String(error)}; see --help`);
    return undefined;
  }
}

// An interrupted run takes its servers with it: "exit" is where they are killed.
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => process.exit(FAILED));
const options = readOptions();
if (options === undefined) {
  process.exitCode = BAD_OPTION;
} else {
  await run(options).catch((error: unknown) => {
    tell(`capacity: ${error instanceof Error ? error.message : String(error)}`);
    // So does a failed one, which would wait for them for ever.
    process.exit(FAILED);
  });
}
