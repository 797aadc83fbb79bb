/**
 * `npm run load:calls`: counts the deliveries that are sent in one system call if many messages
 * meet at a socket.
 *
 * In each round, every load runs against every server, newly started. `loads` contains the tables
 * of loads and servers.
 *
 * Runs on: its own process. Load and servers stay on 127.0.0.1.
 * Exit code: 0 if everything was measured, 1 if a run failed, 2 for a bad option, 3 if perf is missing or
 * not allowed to count.
 */

import { buildGenerator } from "../../bench/generator.ts";
import { runProgram, tell } from "../../bench/program.ts";
import { prepareServer } from "../../bench/servers.ts";
import type { Load, Subject } from "./loads.ts";
import { HELP, parseCallsOptions, type CallsOptions } from "./options.ts";
import { whyPerfDoesNotCount } from "./perf.ts";
import { makeCallsTable, type Row, type Turn } from "./table.ts";
import { takeTurn } from "./turn.ts";

const NO_PERF = 3;

/** A row to which turns are still being added. */
interface OpenRow extends Row {
  readonly turns: Turn[];
}

/** Removes servers that cannot run here, and prints why. */
function prepare(subjects: readonly Subject[]): readonly Subject[] {
  return subjects.filter(({ title, server }) => {
    const absence = prepareServer(server, tell);
    if (absence !== undefined) tell(`${title} is skipped: ${absence}`);
    return absence === undefined;
  });
}

async function run(options: CallsOptions): Promise<number> {
  const trouble = options.hasPerf ? whyPerfDoesNotCount() : undefined;
  if (trouble !== undefined) {
    tell(`load:calls: ${trouble}; --without-perf counts only TCP segments, without permissions`);
    return NO_PERF;
  }
  tell("building native-bench");
  buildGenerator();
  const subjects = prepare(options.subjects);
  const rows: readonly OpenRow[] = options.loads.flatMap((load: Load) =>
    subjects.map((subject) => ({ load, subject, turns: [] })),
  );
  for (let round = 1; round <= options.rounds; round++) {
    for (const { load, subject, turns } of rows) {
      const turn = await takeTurn(subject, load, options);
      turns.push(turn);
      const figures = `${turn.deliveriesPerSend?.toFixed(2) ?? "?"} deliveries per send`;
      tell(`${load.perSocket} a second, ${load.arrival} ${round} ${subject.title}: ${figures}`);
    }
  }
  process.stdout.write(makeCallsTable(rows, options.tickMs));
  return 0;
}

await runProgram({
  name: "load:calls",
  help: HELP,
  parse: parseCallsOptions,
  wantsHelp: ({ help }) => help,
  run,
});
