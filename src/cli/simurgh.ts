#!/usr/bin/env node
/**
 * The `simurgh` executable: parses the command name and runs that command.
 *
 * Runs on: main.
 */

import { invalidOption } from "../definition-checks.ts";
import { nearestHint } from "../nearest-name.ts";
import { checkNodeVersion } from "../node-version.ts";
import type { Command } from "./command.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { failureOf } from "./failure.ts";
import { parseArguments } from "./flags.ts";
import { commandHelp, mainHelp, wholeHelp } from "./help.ts";
import { postgresCommand } from "./postgres.ts";
import { serveCommand } from "./serve.ts";
import { tokenCommand } from "./token.ts";
import { packageVersion } from "./version.ts";

const COMMANDS: readonly Command[] = [
  serveCommand,
  demoCommand,
  doctorCommand,
  tokenCommand,
  postgresCommand,
];

// A reader that closes its pipe, such as head, must not change the exit code.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

try {
  await main(process.argv.slice(2));
} catch (error) {
  const { text, exitCode } = failureOf(error);
  process.stderr.write(`${text}\n`);
  // Do not call process.exit, which could truncate the output. Everything that was started has
  // already stopped.
  process.exitCode = exitCode;
}

async function main([name, ...args]: readonly string[]): Promise<void> {
  if (name === undefined || name === "--help" || name === "-h") {
    process.stdout.write(mainHelp(packageVersion(), COMMANDS));
    return;
  }
  if (name === "--version" || name === "-v") {
    process.stdout.write(`${packageVersion()}\n`);
    return;
  }
  checkNodeVersion();
  const command = COMMANDS.find((known) => known.name === name);
  if (!command) {
    const names = COMMANDS.map((known) => known.name);
    const hint = nearestHint(name, names);
    throw invalidOption(
      `command must be one of ${names.join(", ")} (see simurgh --help), got ${name}${hint}`,
    );
  }
  const help = helpFor(command, args);
  if (help === undefined) await command.run(args);
  else process.stdout.write(help);
}

/** Returns the help that the arguments ask for; undefined if they ask for none. */
function helpFor(command: Command, args: readonly string[]): string | undefined {
  if (command.help !== undefined) {
    return args.includes("--help") || args.includes("-h") ? command.help : undefined;
  }
  const { help } = parseArguments(command.name, args, Object.keys(command.switches ?? {}));
  if (help === undefined) return undefined;
  return help === "all" ? wholeHelp(command) : commandHelp(command);
}
