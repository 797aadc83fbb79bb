/**
 * The flags of Node.js that worker threads start with.
 *
 * By default a worker inherits the flags of its process. Node.js refuses to start one from a file if
 * these include `--input-type`, as in `node --input-type=module --eval …`. A list of flags replaces the
 * inherited ones, but may not contain flags of V8 or of the process, which apply to all threads anyway.
 *
 * Runs on: main.
 */

import { Worker } from "node:worker_threads";

/** Options of a worker. */
export interface WorkerFlags {
  readonly execArgv?: string[];
  readonly env?: NodeJS.ProcessEnv;
}

const INPUT_TYPE = /(?<!\S)--input-type(?:=|\s+)\S+/;
/** Flags whose next argument is a program, which is not for workers. */
const PROGRAMS: ReadonlySet<string> = new Set(["-e", "--eval", "-p", "--print", "-pe"]);
const REFUSED = /invalid execArgv flags: (.*)$/;

/**
 * Returns the options with which a worker can start from a file, however Node.js was started.
 *
 * @param more - flags that the worker needs in addition to those of its process
 */
export function workerFlags(more: readonly string[] = []): WorkerFlags {
  const { NODE_OPTIONS = "" } = process.env;
  const isRefused = INPUT_TYPE.test(process.execArgv.join(" ")) || INPUT_TYPE.test(NODE_OPTIONS);
  if (!isRefused && more.length === 0) return {};
  const execArgv = [...(acceptedFlags ??= acceptedOf(inheritedFlags())), ...more];
  if (!isRefused) return { execArgv };
  return { execArgv, env: { ...process.env, NODE_OPTIONS: NODE_OPTIONS.replace(INPUT_TYPE, "") } };
}

/** The flags of the process that workers accept, once they are known. */
let acceptedFlags: readonly string[] | undefined;

function inheritedFlags(): string[] {
  return process.execArgv.filter(
    (flag, at, all) =>
      !PROGRAMS.has(flag) &&
      !PROGRAMS.has(all[at - 1] ?? "") &&
      !flag.startsWith("--input-type") &&
      all[at - 1] !== "--input-type",
  );
}

/** Returns the flags that a worker accepts. Only Node.js knows, so one is started and ended. */
function acceptedOf(flags: string[]): string[] {
  if (flags.length === 0) return flags;
  try {
    void new Worker("", { eval: true, execArgv: flags }).terminate();
    return flags;
  } catch (error) {
    const named = REFUSED.exec(error instanceof Error ? error.message : "")?.[1];
    if (named === undefined) throw error;
    const refused = named.split(", ");
    return flags.filter((flag) => !refused.includes(flag));
  }
}
