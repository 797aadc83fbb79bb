/**
 * `npm run bench`: the servers in turns under one load, as ratios to the bare engine.
 *
 * For each work, so many rounds; in each round every server is started afresh, loaded,
 * measured and stopped. Works that are compared with each other share their rounds. Absolute times say little on a shared machine, the ratio within a
 * round says what it can.
 *
 * Runs on: a process of its own. Load and servers stay on 127.0.0.1.
 */

import { compare, type Round } from "./comparison.ts";
import { buildGenerator, makeCommandLine, runGenerator, type Measurement } from "./generator.ts";
import { HELP, parseBenchOptions, type BenchOptions } from "./options.ts";
import { startServer, type ServerName } from "./servers.ts";
import { makeTable, roundsBeside, showFigure, type Results } from "./table.ts";
import { groupWorks, WORKS, type Work, type WorkName } from "./works.ts";

const BAD_OPTION = 2;
const FAILED = 1;

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function measure(work: Work, name: ServerName, seconds: number): Promise<Measurement> {
  const server = await startServer(name, work.shards);
  let measurement: Measurement;
  try {
    measurement = await runGenerator(makeCommandLine(work, seconds, server));
  } catch (error) {
    // Why the load failed matters more than how the server ends after that.
    await server.stop().catch((reason: unknown) => tell(String(reason)));
    throw error;
  }
  await server.stop();
  return measurement;
}

/** A round that is being filled. */
type Measured = { -readonly [Name in keyof Round]: Round[Name] };

/** Runs works that share their rounds: in each, a server has all of them in one turn. */
async function runRounds(names: readonly WorkName[], options: BenchOptions): Promise<Results> {
  const results: { [Name in WorkName]?: Round[] } = {};
  for (let round = 1; round <= options.pairs; round++) {
    const measured: { [Name in WorkName]?: Measured } = {};
    for (const server of options.servers) {
      for (const name of names) {
        const measurement = await measure(WORKS[name], server, options.seconds);
        (measured[name] ??= {})[server] = measurement;
        tell(`${name} ${round}/${options.pairs} ${server}: ${describe(WORKS[name], measurement)}`);
      }
    }
    for (const name of names) (results[name] ??= []).push(measured[name] ?? {});
  }
  return results;
}

function describe(work: Work, measurement: Measurement): string {
  const { bottleneck, isServerBehind, isServerStarved, deaf, deafClosed } = measurement;
  return [
    showFigure(work.figure, measurement[work.figure]),
    ...(work.figure === "latencyP99Us" && bottleneck !== undefined ? [bottleneck] : []),
    ...(deaf > 0 ? [`cut ${deafClosed} of ${deaf}`] : []),
    ...(isServerBehind ? ["fell behind"] : []),
    ...(isServerStarved ? ["waited for a core"] : []),
  ].join(", ");
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
  const results: { [Name in WorkName]?: readonly Round[] } = {};
  for (const names of groupWorks(options.works)) {
    Object.assign(results, await runRounds(names, options));
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
