/**
 * Runs a benchmark, from its command line to its table. The servers take turns under the same load,
 * round by round, and the table shows ratios to the bare engine.
 *
 * Packages that a server needs are installed first. A server that cannot run here is skipped, and the
 * table says why.
 *
 * Runs on: its own process. Load and servers stay on 127.0.0.1.
 * Exit code: 0 if everything was measured, 1 if a run failed, 2 for a bad option.
 */

import { compare, type Round } from "./comparison.ts";
import { describeRun, readFigures, withMeasured, writeFigures } from "./figures.ts";
import { buildGenerator } from "./generator.ts";
import { makeHelp, parseBenchOptions, type BenchCommand, type BenchOptions } from "./options.ts";
import { runProgram, tell } from "./program.ts";
import { runRound } from "./rounds.ts";
import { prepareServer, type ServerName } from "./servers.ts";
import { compareLatency, makeTable, roundsBeside, type Absences, type Results } from "./table.ts";
import { Steps } from "./time-left.ts";
import { groupWorks, secondsOfWorks, WORKS, type Work, type WorkName } from "./works.ts";

/**
 * Returns the results as JSON: the figure of each workload and server, and its relation to the bare
 * engine.
 */
function makeJson(results: Results, options: BenchOptions, absences: Absences): string {
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
      absence: absences[server],
      ...compare(work, server, rounds, roundsBeside(work, results)),
      latencyP99Us: compareLatency(work, server, rounds),
    }));
  });
  return JSON.stringify({ pairs: options.pairs, seconds: options.seconds, rows });
}

/** Prepares all servers. @returns the servers that cannot run here, with the reasons */
function prepare(servers: readonly ServerName[]): Absences {
  const absences: { [Name in ServerName]?: string } = {};
  for (const server of servers) {
    const absence = prepareServer(server, tell);
    if (absence === undefined) continue;
    absences[server] = absence;
    tell(`${server} is skipped: ${absence}`);
  }
  return absences;
}

async function run(options: BenchOptions): Promise<number> {
  tell("building native-bench");
  buildGenerator();
  const absences = prepare(options.servers);
  const servers = options.servers.filter((server) => absences[server] === undefined);
  const setting = options.phoenix === undefined ? {} : { phoenix: options.phoenix };
  const results: { [Name in WorkName]?: Round[] } = {};
  const steps = new Steps(options.works.length * options.pairs * servers.length);
  const onMeasured = (line: string): void => tell(steps.done(line));
  for (const works of groupWorks(options.works)) {
    for (let number = 1; number <= options.pairs; number++) {
      const { seconds } = options;
      const measured = await runRound({ number, works, servers, seconds, setting }, onMeasured);
      for (const name of works) (results[name] ??= []).push(measured[name] ?? {});
    }
  }
  (options.json ? process.stderr : process.stdout).write(makeTable(results, absences));
  if (options.save) {
    const measuredOn = describeRun(options.pairs, options.seconds);
    writeFigures(withMeasured(readFigures(), results, measuredOn));
  }
  if (options.json) process.stdout.write(`${makeJson(results, options, absences)}\n`);
  return 0;
}

/** Runs a benchmark with the arguments of this process. */
export function runCommand(command: BenchCommand): Promise<void> {
  return runProgram({
    name: command.name,
    help: makeHelp(command),
    parse: (words) => parseBenchOptions(words, command),
    wantsHelp: ({ help }) => help,
    secondsOf: ({ works, servers, pairs, seconds }) =>
      secondsOfWorks(works, { servers: servers.length, pairs, seconds }),
    run,
  });
}
