/**
 * `npm run load:drops`: tears the connections of many clients, restarts shards and the process, and counts
 * what each client gets, from Simurgh and from Socket.IO.
 *
 * Runs on: its own process; servers and clients run in others. Everything stays on 127.0.0.1.
 * Exit code: 0 if Simurgh lost, doubled and disordered nothing, 1 if it did or the run failed, 2 for a bad
 * option.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FAILED, messageOf, runProgram, tell } from "../../bench/program.ts";
import { drawBar } from "../../bench/time-left.ts";
import { formatCount } from "../charts/formats.ts";
import { describeMachine } from "../machine.ts";
import { commandOf, optionsIn } from "../record.ts";
import { describeTurn, shortcomingsOf, type Figures } from "./figures.ts";
import { HELP, parseDropsOptions, type DropsOptions } from "./options.ts";
import { makeDropsPage, type DropsRecord } from "./page.ts";
import { prepareServer, SERVERS, type ServerName } from "./servers/servers.ts";
import { makeDropsTable } from "./table.ts";
import { secondsOfTurns, takeTurn, type PlannedTurn, type Progress } from "./turn.ts";

/** Removes turns of servers that cannot run here, and prints why. */
function prepare(turns: readonly PlannedTurn[]): readonly PlannedTurn[] {
  const absent = new Set<ServerName>();
  for (const server of new Set(turns.map((turn) => turn.server))) {
    const absence = prepareServer(server, tell);
    if (absence === undefined) continue;
    absent.add(server);
    tell(`${SERVERS[server].title} is skipped: ${absence}`);
  }
  return turns.filter(({ server }) => !absent.has(server));
}

function describeProgress({ share, report, isRestarting }: Progress): string {
  const { heard, away, tears } = report;
  const { delivered, doubled, disordered, told } = heard;
  return [
    `${drawBar(share)} ${Math.floor(share * 100)} %`,
    `${formatCount(delivered)} delivered, ${doubled} doubled, ${disordered} disordered`,
    `${tears} torn, ${away} away, ${told} told${isRestarting ? ", restarting" : ""}`,
  ].join("  ");
}

/** What was measured, and what failed. */
interface Measured {
  readonly rows: readonly Figures[];
  readonly failures: readonly string[];
}

/** Takes all turns. One that fails does not end the others. */
async function measure({ turns, seed }: Pick<DropsOptions, "turns" | "seed">): Promise<Measured> {
  const [rows, failures]: [Figures[], string[]] = [[], []];
  for (const [at, turn] of turns.entries()) {
    const name = `${SERVERS[turn.server].title}, ${describeTurn(turn)}`;
    tell(`${at + 1} of ${turns.length}: ${name}`);
    try {
      rows.push(await takeTurn(turn, seed, (progress) => tell(describeProgress(progress))));
    } catch (error) {
      failures.push(`${name}: ${messageOf(error)}`);
      tell(`failed: ${messageOf(error)}`);
    }
  }
  return { rows, failures };
}

function write(folder: string, record: DropsRecord): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const [json, html] = [join(folder, "drops.json"), join(folder, "drops.html")];
  writeFileSync(json, `${JSON.stringify(record, undefined, 2)}\n`);
  writeFileSync(html, makeDropsPage(record));
  return [json, html];
}

async function run(options: DropsOptions, words: readonly string[]): Promise<number> {
  const { seed, maxP99Ms, out, json } = options;
  const startedAt = new Date().toISOString();
  tell(`seed ${seed}`);
  const { rows, failures } = await measure({ turns: prepare(options.turns), seed });
  const command = commandOf("load:drops", optionsIn(process.env), [
    ...words,
    "--seed",
    String(seed),
  ]);
  const machine = describeMachine();
  const record: DropsRecord = { version: 1, startedAt, command, machine, maxP99Ms, rows, failures };
  (json ? process.stderr : process.stdout).write(makeDropsTable(rows));
  if (json) process.stdout.write(`${JSON.stringify(record)}\n`);
  for (const file of write(out, record)) tell(file);
  const shortcomings = rows.flatMap((figures) => shortcomingsOf(figures, maxP99Ms));
  for (const line of [...failures, ...shortcomings]) tell(line);
  return failures.length + shortcomings.length === 0 ? 0 : FAILED;
}

await runProgram({
  name: "load:drops",
  help: HELP,
  parse: parseDropsOptions,
  wantsHelp: ({ help }) => help,
  secondsOf: ({ turns }) => secondsOfTurns(turns),
  run,
});
