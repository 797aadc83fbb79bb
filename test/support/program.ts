/**
 * Runs a program of `scripts` to its end.
 *
 * Runs on: the test's thread; the program is a process of its own.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** How a program ended. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs a program.
 *
 * @param main - path of its main file from `scripts`, without the extension
 */
export async function runScript(
  main: string,
  words: readonly string[],
  deadlineMs: number,
): Promise<ProgramEnd> {
  const file = fileURLToPath(new URL(`../../scripts/${main}.js`, import.meta.url));
  const child = spawn(process.execPath, [file, ...words], { stdio: "pipe", timeout: deadlineMs });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out, err };
}
