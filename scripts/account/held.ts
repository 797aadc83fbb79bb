/**
 * Joined connections that a separate load generator holds open.
 *
 * Runs on: the process of `npm run account`.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { GENERATOR } from "../bench/generator.ts";
import type { RunningServer } from "../bench/servers.ts";
import { readLive } from "../load/live.ts";

/** Connections that are held until they are released. */
export interface Held {
  release(): Promise<void>;
}

/**
 * Opens connections, joins each to its own topic, and holds them.
 *
 * @param topic - prefix of the connections' topics
 * @throws Error with the generator's output if a connection does not join
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
    // Discard further output, so that it does not fill the pipe.
    child.stdout.resume();
    return {
      async release() {
        process.removeListener("exit", kill);
        child.kill("SIGKILL");
        await ended;
      },
    };
  }
  // The generator's error output may arrive after its last line.
  await ended;
  process.removeListener("exit", kill);
  throw new Error(`${connections} connections must join, got: ${report}`);
}
