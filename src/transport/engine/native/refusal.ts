/**
 * Why a native engine is not used: what its error says, what `simurgh doctor` says, and a server's stats.
 *
 * Runs on: main; a shard, if the engine that main has loaded does not load there.
 */

import { messageOf } from "../../../error-report.ts";
import { makeError } from "../../../errors.ts";

/** Why an engine is not used, as the rest of a sentence about it, and what to do. */
export interface Refusal {
  readonly problem: string;
  readonly advice: string;
}

interface RefusedEngine extends Error {
  readonly refusal: Refusal;
}

const MAX_CAUSE_CHARACTERS = 300;

/** Creates SIM_ERR_ENGINE_UNAVAILABLE. */
export function refusedEngine(
  engine: string,
  refusal: Refusal,
  options?: ErrorOptions,
): RefusedEngine {
  const message = `${engine} ${refusal.problem}: ${refusal.advice}`;
  return Object.assign(makeError("SIM_ERR_ENGINE_UNAVAILABLE", message, options), { refusal });
}

/** Returns why an engine was refused; undefined if this is another error. */
export function refusalOf(error: unknown): Refusal | undefined {
  return error instanceof Error && "refusal" in error
    ? (error as RefusedEngine).refusal
    : undefined;
}

/** Returns what was thrown, in one line. Node.js and packages write a stack of modules, or advice, below the first. */
export function lineOf(thrown: unknown): string {
  const [line = ""] = messageOf(thrown).trim().split("\n");
  return line.length > MAX_CAUSE_CHARACTERS ? `${line.slice(0, MAX_CAUSE_CHARACTERS)}…` : line;
}
