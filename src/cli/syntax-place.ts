/**
 * Finds the location of a syntax error, because an import error contains neither the file nor the
 * line.
 *
 * Runs on: main, in development only; each file is checked in a process of its own.
 */

import { execFile } from "node:child_process";

const JAVASCRIPT = /\.[cm]?js$/;
const MAX_FILES = 20;
const MAX_LINES = 3;

/**
 * Returns the location of the first syntax error, as printed by Node.js.
 *
 * @param files - only JavaScript files are checked; errors in TypeScript already contain the
 *   location
 */
export async function syntaxPlace(files: readonly string[]): Promise<string | undefined> {
  for (const file of files.filter((name) => JAVASCRIPT.test(name)).slice(0, MAX_FILES)) {
    const shown = await syntaxErrorOf(file);
    if (shown !== undefined) return shown;
  }
  return undefined;
}

async function syntaxErrorOf(file: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--check", file], (error, _out, shown) => {
      const isSyntax = error !== null && shown.includes("SyntaxError");
      resolve(isSyntax ? shown.split("\n").slice(0, MAX_LINES).join("\n") : undefined);
    });
  });
}
