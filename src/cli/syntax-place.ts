/**
 * Where a syntax error is: an import says in which app, but not on which line of which file.
 *
 * Runs on: main, in development only: each file costs a process.
 */

import { execFile } from "node:child_process";

const JAVASCRIPT = /\.[cm]?js$/;
const MOST_FILES = 20;
const MOST_LINES = 3;

/**
 * Gives the line of the first file that is not free of syntax errors, as Node.js shows it.
 *
 * @param files - those that are not JavaScript are left out: of TypeScript the error itself says where
 */
export async function syntaxPlace(files: readonly string[]): Promise<string | undefined> {
  for (const file of files.filter((name) => JAVASCRIPT.test(name)).slice(0, MOST_FILES)) {
    const shown = await checked(file);
    if (shown !== undefined) return shown;
  }
  return undefined;
}

async function checked(file: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--check", file], (error, _out, shown) => {
      const isSyntax = error !== null && shown.includes("SyntaxError");
      resolve(isSyntax ? shown.split("\n").slice(0, MOST_LINES).join("\n") : undefined);
    });
  });
}
