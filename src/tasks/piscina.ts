/**
 * Piscina, as far as we use it.
 *
 * Declared here, since its own types do not pass `exactOptionalPropertyTypes`: importing them would
 * ask `skipLibCheck` of us, and of everyone who compiles against us.
 *
 * Runs on: main.
 */

import { createRequire } from "node:module";

import type { HandedOver } from "../channel/tasks/handed-over.ts";

/** Options of a pool. */
export interface PiscinaOptions {
  /** URL of the module that the threads run. */
  readonly filename: string;
  /** Of its export that is called with each task. */
  readonly name: string;
  readonly minThreads: number;
  readonly maxThreads: number;
  readonly idleTimeout: number;
  readonly atomics: "sync" | "async" | "disabled";
  readonly recordTiming: boolean;
}

/** A pool of threads. */
export interface Piscina {
  /** Gives what the export gave. Rejects at once where the signal is aborted; the thread ends. */
  run(
    task: unknown,
    options: { readonly transferList: HandedOver[]; readonly signal: AbortSignal },
  ): Promise<unknown>;
  /** A thread failed outside of any task. */
  on(event: "error", listener: (error: unknown) => void): this;
  /** Ends all threads. */
  destroy(): Promise<void>;
}

/** Makes a pool. The package is loaded with the first. */
export function makePiscina(options: PiscinaOptions): Piscina {
  const require = createRequire(import.meta.url);
  const { Piscina } = require("piscina") as { Piscina: new (given: PiscinaOptions) => Piscina };
  return new Piscina(options);
}
