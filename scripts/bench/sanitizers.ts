/**
 * `npm run check:native`: builds and tests native-bench three times: as a release build, with the
 * address and undefined-behaviour sanitizers, and with the thread sanitizer. The sanitized builds
 * also run a short multi-threaded load against a real server.
 *
 * Runs on: its own process. The server has two shards. Server and load stay on 127.0.0.1.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { startServer } from "./servers.ts";

/** From `dist/scripts/bench` to the package's root. */
const FOLDER = fileURLToPath(new URL("../../../native-bench/", import.meta.url));

/** Runs make with inherited output. @returns its exit code, or 1 if it was killed */
async function make(words: readonly string[]): Promise<number> {
  const child = spawn("make", words, { stdio: "inherit" });
  const kill = (): boolean => child.kill("SIGKILL");
  process.once("exit", kill);
  const [code] = (await once(child, "exit")) as [number | null];
  process.removeListener("exit", kill);
  return code ?? 1;
}

// The server is killed on the "exit" event, so exit explicitly when interrupted.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const server = await startServer("simurgh", 2);
const jobs = `-j${availableParallelism()}`;
process.exitCode = await make([
  "-C",
  FOLDER,
  "--silent",
  jobs,
  "test",
  "asan",
  "tsan",
  `URL=${server.url}`,
]);
await server.stop();
