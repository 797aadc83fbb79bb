/**
 * The part of piscina that the task pool uses.
 *
 * Declared here because piscina's own types do not compile with `exactOptionalPropertyTypes`.
 * Importing them would require `skipLibCheck` in this package and in every project that compiles
 * against it.
 *
 * Runs on: main, which creates the pool, and the threads of the pool, which return results.
 */

import { createRequire } from "node:module";

import type { HandedOver } from "../channel/tasks/tasks.ts";

/** Options of a pool. */
export interface PiscinaOptions {
  /** URL of the module that the threads run. */
  readonly filename: string;
  /** Name of the export that is called for each task. */
  readonly name: string;
  readonly minThreads: number;
  readonly maxThreads: number;
  readonly idleTimeout: number;
  readonly atomics: "sync" | "async" | "disabled";
  readonly recordTiming: boolean;
  readonly execArgv?: string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** A pool of threads. */
export interface Piscina {
  /**
   * Calls the export on a thread and resolves with its result. If the signal is aborted, rejects
   * immediately and terminates the thread.
   */
  run(
    task: unknown,
    options: { readonly transferList: HandedOver[]; readonly signal: AbortSignal },
  ): Promise<unknown>;
  /** Listens for errors that threads raise outside tasks. */
  on(event: "error", listener: (error: unknown) => void): this;
  /** Listens for messages that threads post outside tasks. */
  on(event: "message", listener: (message: unknown) => void): this;
  /** Terminates all threads. */
  destroy(): Promise<void>;
}

/** The exports of the package. It is loaded on first use, because most apps have no tasks. */
interface PiscinaPackage {
  readonly Piscina: new (options: PiscinaOptions) => Piscina;
  readonly move: (value: object) => unknown;
}

/** Creates a pool. */
export function makePiscina(options: PiscinaOptions): Piscina {
  return new (loadPiscina().Piscina)(options);
}

/** Marks parts of a thread's return value to be transferred instead of copied. */
export function handOver<Value>(value: Value, transfer: readonly HandedOver[]): Value {
  if (transfer.length === 0) return value;
  return loadPiscina().move({
    [Symbol.for("Piscina.transferable")]: transfer,
    [Symbol.for("Piscina.valueOf")]: value,
  }) as Value;
}

function loadPiscina(): PiscinaPackage {
  const require = createRequire(import.meta.url);
  return require("piscina") as PiscinaPackage;
}
