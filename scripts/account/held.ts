/**
 * Connections that are joined and held, by a generator of their own.
 *
 * Runs on: the process of `npm run account`.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { GENERATOR } from "../bench/generator.ts";
import type { RunningServer } from "../bench/servers.ts";
import { readLive } from "../load/live.ts";

/** Connections, until they are let go. */
export interface Held {
  release(): Promise<void>;
}

/**
 * Joins so many connections, each to a topic of its own, and holds them.
 *
 * @param topic - what their topics begin with
 * @throws Error with the generator's words where one of them does not join
 */
export async function hold(
  server: RunningServer,
  connections: number,
  topic: string,
): Promise<Held> {
  const words = `idle --connections ${connections} --connect-rate 2k --duration 10m --heartbeat 10m --topic ${topic} --url ${server.url} --json --live 100ms`;
  const child = spawn(GENERATOR, words.split(" "), { stdio: ["ignore", "pipe", "pipe"] });
  const kill = (): boolean => child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = once(child, "close");
  let report = "";
  child.stderr.on("data", (chunk: Buffer) => (report += chunk.toString()));
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const live = readLive(line);
    if (live?.joined !== connections) continue;
    // What it writes from now on is not read, but must not fill the pipe.
    child.stdout.resume();
    return {
      async release() {
        process.removeListener("exit", kill);
        child.kill("SIGKILL");
        await ended;
      },
    };
  }
  // Its words may come after its last line.
  await ended;
  process.removeListener("exit", kill);
  throw new Error(`${connections} connections must join, got: ${report}`);
}
