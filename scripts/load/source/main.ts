/**
 * `npm run load:source`: 5 000 row changes a second for 30 s through a source, by both ways.
 *
 * Runs on: its own process, which also serves; PostgreSQL runs in another. Everything stays on 127.0.0.1.
 * Exit code: 0 if all changes were heard once and in order, 1 if not or the run failed, 2 for a bad option. After a
 * restart of the database, changes may be heard twice.
 */

import { parseArgs } from "node:util";

import { noPostgres } from "../../../test/support/postgres.ts";
import { WAYS } from "../../../test/support/source.ts";
import { runSourceLoad, type SourceLoad } from "./run.ts";

const HELP = `npm run load:source -- [options]

  --rate 5000             row changes per second
  --seconds 30            how long rows are written
  --per-transaction 10    changes in a transaction
  --restart               restart the database when half of the time is over
`;

/** @returns the exit code */
async function run(): Promise<number> {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", default: false },
      rate: { type: "string", default: "5000" },
      seconds: { type: "string", default: "30" },
      "per-transaction": { type: "string", default: "10" },
      restart: { type: "boolean", default: false },
    },
  });
  const [rate, seconds, perTransaction] = [
    Number(values.rate),
    Number(values.seconds),
    Number(values["per-transaction"]),
  ];
  if (values.help || !(rate > 0 && seconds > 0 && perTransaction >= 1)) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  if (noPostgres !== false) throw new Error(noPostgres);
  let isWhole = true;
  for (const by of WAYS) {
    const load = { by, rate, seconds, perTransaction, restarts: values.restart };
    isWhole = (await isHeardWhole(load)) && isWhole;
  }
  return isWhole ? 0 : 1;
}

/** Runs a load, prints what was heard, and reports whether that is as it should be. */
async function isHeardWhole(load: SourceLoad): Promise<boolean> {
  const { written, reached, heard, missing, repeated, disordered, lagMs } =
    await runSourceLoad(load);
  process.stdout.write(
    `by ${load.by}: ${written} changes written, ${reached}/s; ${heard} heard, ${missing} missing, ` +
      `${repeated} repeated, ${disordered} out of order; lag ${lagMs.p50} ms (median), ` +
      `${lagMs.p99} ms (99 %), ${lagMs.max} ms (longest)\n`,
  );
  return missing === 0 && disordered === 0 && (repeated === 0 || load.restarts);
}

process.exitCode = await run();
