/**
 * `npm run bench`: the servers in turns under one load, as ratios to the bare engine.
 *
 * Absolute times say little on a shared machine, the ratio within a round says what it can.
 *
 * Runs on: a process of its own. Load and servers stay on 127.0.0.1.
 */

import { compare, type Round } from "./comparison.ts";
import { buildGenerator } from "./generator.ts";
import { HELP, parseBenchOptions, type BenchOptions } from "./options.ts";
import { runRound } from "./rounds.ts";
import { makeTable, roundsBeside, type Results } from "./table.ts";
import { groupWorks, WORKS, type Work, type WorkName } from "./works.ts";

const BAD_OPTION = 2;
const FAILED = 1;

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** The results for scripts: for each work and server, its figure and its relation to bare. */
function makeJson(results: Results, options: BenchOptions): string {
  const rows = Object.entries(results).flatMap(([name, rounds]) => {
    const work: Work = WORKS[name as WorkName];
    const { figure, budget, beside, shards } = work;
    return options.servers.map((server) => ({
      work: name,
      server,
      shards,
      kind: figure,
      budget,
      beside,
      ...compare(work, server, rounds, roundsBeside(work, results)),
    }));
  });
  return JSON.stringify({ pairs: options.pairs, seconds: options.seconds, rows });
}

async function run(options: BenchOptions): Promise<void> {
  tell("building native-bench");
  buildGenerator();
  const results: { [Name in WorkName]?: Round[] } = {};
  for (const works of groupWorks(options.works)) {
    for (let number = 1; number <= options.pairs; number++) {
      const measured = await runRound({ ...options, number, works }, tell);
      for (const name of works) (results[name] ??= []).push(measured[name] ?? {});
    }
  }
  (options.json ? process.stderr : process.stdout).write(makeTable(results));
  if (options.json) process.stdout.write(`${makeJson(results, options)}\n`);
}

function readOptions(): BenchOptions | undefined {
  try {
    return parseBenchOptions(process.argv.slice(2));
  } catch (error) {
    tell(`bench: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

// An interrupted bench takes its servers with it: "exit" is where they are killed.
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => process.exit(FAILED));
const options = readOptions();
if (options === undefined) {
  process.exitCode = BAD_OPTION;
} else if (options.help) {
  process.stdout.write(HELP);
} else {
  await run(options).catch((error: unknown) => {
    tell(`bench: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = FAILED;
  });
}
