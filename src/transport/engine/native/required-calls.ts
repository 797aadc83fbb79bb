/**
 * The calls that a package must have to be a native engine, as far as they can be seen without a connection.
 *
 * Runs on: main.
 */

import type { NativeCandidate } from "./native-package.ts";
import { lineOf, refusedEngine } from "./refusal.ts";
import type { NativeApp, NativeModule } from "./uws-types.ts";

/** The oldest version that Simurgh has been tested with. */
const OLDEST_VERSION = "20.57.0";

const MODULE_CALLS = ["App", "SSLApp", "us_listen_socket_close", "us_socket_local_port"] as const;
const MODULE_NUMBERS = [
  "LIBUS_LISTEN_EXCLUSIVE_PORT",
  "DISABLED",
  "SHARED_COMPRESSOR",
  "SHARED_DECOMPRESSOR",
] as const;
const APP_CALLS = [
  "getDescriptor",
  "addChildAppDescriptor",
  "removeChildAppDescriptor",
  "filter",
  "listen",
  "publish",
  "ws",
  "any",
  "close",
] as const satisfies readonly (keyof NativeApp)[];

type Checked = Pick<NativeCandidate, "title" | "version" | "remedy">;

/**
 * Checks that a loaded package has all calls. Creates and closes an app.
 *
 * @throws SIM_ERR_ENGINE_UNAVAILABLE with the calls that it lacks, its version and the oldest that works
 */
export function checkCalls(module: NativeModule, { title, version, remedy }: Checked): void {
  let missing: readonly string[];
  try {
    missing = missingCalls(module);
  } catch (cause) {
    const problem = `cannot create an app (${lineOf(cause)})`;
    throw refusedEngine(title, { problem, advice: remedy }, { cause });
  }
  if (missing.length === 0) return;
  const is = version === "" ? "" : `, and it is ${version}`;
  const problem = `lacks ${missing.join(", ")} (the oldest version that works is ${OLDEST_VERSION}${is})`;
  throw refusedEngine(title, { problem, advice: remedy });
}

function missingCalls(loaded: NativeModule): string[] {
  const module = Object(loaded) as Partial<NativeModule>;
  const missing: string[] = [
    ...MODULE_CALLS.filter((call) => typeof module[call] !== "function"),
    ...MODULE_NUMBERS.filter((call) => typeof module[call] !== "number"),
  ];
  if (missing.includes("App")) return missing;
  const app = Object(module.App?.()) as Partial<NativeApp>;
  missing.push(...APP_CALLS.filter((call) => typeof app[call] !== "function"));
  if (!missing.includes("close")) app.close?.();
  return missing;
}
