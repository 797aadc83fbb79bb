/**
 * `npm run load:calls`: how many deliveries leave by one system call, where many meet at a socket.
 *
 * Each load in turn, and under it each server in turn, started afresh; so many rounds of all. What is
 * measured stands in `loads`.
 *
 * Runs on: a process of its own. Load and servers stay on 127.0.0.1.
 * Exit: 0 all was measured, 1 a run failed, 2 a bad option, 3 perf is missing or may not count.
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

/** A row that is being filled. */
interface OpenRow extends Row {
  readonly turns: Turn[];
}

/** Leaves out servers that cannot run here, and says why. */
function prepare(subjects: readonly Subject[]): readonly Subject[] {
  return subjects.filter(({ title, server }) => {
    const absence = prepareServer(server, tell);
    if (absence !== undefined) tell(`${title} is left out: ${absence}`);
    return absence === undefined;
  });
}

async function run(options: CallsOptions): Promise<number> {
  const trouble = options.hasPerf ? whyPerfDoesNotCount() : undefined;
  if (trouble !== undefined) {
    tell(`load:calls: ${trouble}; --without-perf counts TCP segments only, which takes no right`);
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
      const figures = `${turn.deliveriesPerSend?.toFixed(2) ?? "?"} a send`;
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
