/**
 * `npm run check:native`: native-bench's tests, built three times: as released, with the address and
 * undefined-behaviour sanitizers, with the thread sanitizer. The sanitized ones also put a short load
 * on a real server, by several threads.
 *
 * Runs on: a process of its own. The server has two shards; its address and the load stay on 127.0.0.1.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { startServer } from "./servers.ts";

/** From `dist/scripts/bench` to the package's root. */
const FOLDER = fileURLToPath(new URL("../../../native-bench/", import.meta.url));

/** Runs make, whose output is ours. @returns its exit code, or 1 where it was killed */
async function make(words: readonly string[]): Promise<number> {
  const child = spawn("make", words, { stdio: "inherit" });
  const kill = (): boolean => child.kill("SIGKILL");
  process.once("exit", kill);
  const [code] = (await once(child, "exit")) as [number | null];
  process.removeListener("exit", kill);
  return code ?? 1;
}

// Interrupted, it takes the server with it: "exit" is where that is killed.
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
