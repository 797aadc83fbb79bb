/**
 * `simurgh postgres`: creates and upgrades the schema of `simurgh/postgres`.
 *
 * Runs on: main.
 */

import { parseArgs } from "node:util";

import { invalidOption } from "../definition-checks.ts";
import { nearestHint } from "../nearest-name.ts";
import { checkVariables } from "../options/variables.ts";
import { addressOf } from "../postgres/address.ts";
import { Database } from "../postgres/database.ts";
import { install, plan, type Installation } from "../postgres/migrations.ts";
import type { Command } from "./command.ts";

const HELP = `simurgh postgres install [options]: creates or upgrades the schema of simurgh/postgres

The database is SIMURGH_POSTGRES_URL, such as postgres://user:password@host:5432/database, or
else that of PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE. The user will own the tables;
let the server connect as the same user. You can run this at each deploy: it applies only what
is missing.

Options
  --schema <name>   default: simurgh
  --grant <role>    lets a role open sessions; may be repeated
  --dry-run         prints the SQL that would be run, and changes nothing
`;
/** An upgrade may have to rewrite tables. */
const STATEMENT_MS = 3_600_000;
const FLAGS = ["schema", "grant", "dry-run"];

/** The command `postgres`. */
export const postgresCommand: Command = {
  name: "postgres",
  usage: "install [options]",
  about: "creates the schema of simurgh/postgres",
  details: [],
  help: HELP,

  async run(args) {
    const { schema, grants, isDryRun } = parse(args);
    checkVariables(process.env);
    const address = addressOf(schema === undefined ? {} : { schema }, process.env);
    const database = new Database(address, "simurgh postgres", {}, { answerMs: STATEMENT_MS });
    await database.connectOnce();
    try {
      if (isDryRun) {
        const { script } = await plan(database, address.schema, grants);
        process.stdout.write(script === "" ? "-- nothing to do\n" : script);
      } else {
        const done = await install(database, address.schema, grants);
        process.stdout.write(`${address.shown}: ${doneText(address.schema, done)}\n`);
        if (grants.length > 0) {
          process.stdout.write(`${address.shown}: ${grants.join(", ")} may open sessions\n`);
        }
      }
    } finally {
      await database.stop();
    }
  },
};

function doneText(schema: string, { from, to }: Installation): string {
  if (from === to) return `the schema ${schema} has version ${to} already`;
  return from === 0
    ? `the schema ${schema} was created with version ${to}`
    : `the schema ${schema} was upgraded from version ${from} to ${to}`;
}

interface Wanted {
  readonly schema: string | undefined;
  readonly grants: readonly string[];
  readonly isDryRun: boolean;
}

/** @throws SIM_ERR_OPTION_INVALID */
function parse(args: readonly string[]): Wanted {
  const { positionals, tokens } = parseArgs({
    args: [...args],
    options: {
      schema: { type: "string" },
      grant: { type: "string", multiple: true },
      "dry-run": { type: "boolean" },
    },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  if (positionals.length !== 1 || positionals[0] !== "install") {
    const got = positionals.length === 0 ? "none" : positionals.join(" ");
    throw invalidOption(`action must be install (see simurgh postgres --help), got ${got}`);
  }
  let schema: string | undefined;
  let isDryRun = false;
  const grants: string[] = [];
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    if (!FLAGS.includes(name)) {
      const hint = nearestHint(
        rawName,
        FLAGS.map((flag) => `--${flag}`),
      );
      throw invalidOption(
        `option must be listed by \`simurgh postgres --help\`, got ${rawName}${hint}`,
      );
    }
    if (name === "dry-run") isDryRun = true;
    else if (value === undefined || value === "")
      throw invalidOption(`${rawName} must be followed by a value, got none`);
    else if (name === "grant") grants.push(value);
    else schema = value;
  }
  return { schema, grants, isDryRun };
}
