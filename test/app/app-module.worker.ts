/**
 * Loads the app module that it is given, and posts what came of it.
 *
 * Runs on: a worker thread of app-module.test.ts.
 */

import { parentPort, workerData } from "node:worker_threads";

import { loadAppModule } from "../../src/app/app-module.ts";

/** What came of loading a module. */
export interface Outcome {
  readonly code?: unknown;
  readonly message?: string;
  readonly causeMessage?: string;
  readonly answers?: unknown;
  readonly where?: string;
}

function describeError(error: unknown): Outcome {
  if (!(error instanceof Error)) return { message: String(error) };
  const { cause } = error;
  const hasMessage = typeof cause === "object" && cause !== null && "message" in cause;
  return {
    code: "code" in error ? error.code : undefined,
    message: error.message,
    ...(hasMessage ? { causeMessage: String(cause.message) } : {}),
  };
}

async function load(url: string): Promise<Outcome> {
  try {
    const app = (await loadAppModule(url)) as { answers: unknown; where: () => string };
    return { answers: app.answers, where: app.where() };
  } catch (error) {
    return describeError(error);
  }
}

parentPort?.postMessage(await load(workerData as string));
