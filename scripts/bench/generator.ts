/**
 * The load generator, native-bench: builds it, runs it once, reads its line of JSON.
 *
 * Runs on: the bench's process.
 */

import { execFile, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { RunningServer } from "./servers.ts";
import type { Work } from "./works.ts";

/** From `dist/scripts/bench` to the package's root. */
const FOLDER = fileURLToPath(new URL("../../../native-bench/", import.meta.url));
/** Its program, once it is built. */
export const GENERATOR = `${FOLDER}build/native-bench`;
const RUN_DEADLINE_MS = 180_000;

/** What one run of the generator found. */
export interface Measurement {
  /** Server CPU for each message that it delivered (`connect`: for each join). */
  readonly cpuUsPerMessage: number;
  /** Server memory of one more joined connection. */
  readonly bytesPerConnection: number;
  /** The server got less done than was asked for: its CPU per message is then a guess. */
  readonly isServerBehind: boolean;
  /** The machine was too busy: the server waited for a core and batched more than it would. */
  readonly isServerStarved: boolean;
  /** Undefined where the generator refused it. */
  readonly latencyP99Us: number | undefined;
  /** Why it did. */
  readonly bottleneck: string | undefined;
  /** Connections that did not read, and how many of them the server closed. */
  readonly deaf: number;
  readonly deafClosed: number;
}

/** Builds the generator. @throws Error with the compiler's words where it does not build */
export function buildGenerator(): void {
  const { status, stdout, stderr, error } = spawnSync("make", ["-C", FOLDER, "--silent"], {
    encoding: "utf8",
  });
  if (error !== undefined) throw new Error(`make cannot be run: ${error.message}`);
  if (status !== 0) throw new Error(`native-bench does not build:\n${stdout}${stderr}`);
}

/** The generator's command line for a work. */
export function makeCommandLine(
  work: Work,
  seconds: number,
  { url, pid, protocol }: Pick<RunningServer, "url" | "pid" | "protocol">,
): readonly string[] {
  const duration = work.hasDuration ? ["--duration", `${seconds}s`] : [];
  return [
    ...work.load,
    ...duration,
    "--url",
    url,
    "--protocol",
    protocol,
    "--server-pid",
    String(pid),
    "--json",
  ];
}

/** Runs the generator once. @throws Error with its report where it found the run bad */
export async function runGenerator(words: readonly string[]): Promise<Measurement> {
  return readMeasurement(await runForJson(words));
}

/** Runs the generator once. @returns its line of JSON. @throws Error as above */
export function runForJson(words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const settings = { timeout: RUN_DEADLINE_MS, killSignal: "SIGKILL" } as const;
    const child = execFile(GENERATOR, words, settings, (error, out, report) => {
      process.removeListener("exit", kill);
      if (error === null) resolve(out);
      else reject(new Error(`native-bench ${words.join(" ")}: ${error.message}\n${report}`));
    });
    const kill = (): boolean => child.kill("SIGKILL");
    process.once("exit", kill);
  });
}

/** Reads the generator's line of JSON. @throws Error where a figure is missing */
export function readMeasurement(line: string): Measurement {
  const { window, memory, deaf, deafClosed } = JSON.parse(line) as {
    readonly window: {
      readonly serverCpuUsPerMessage?: number;
      readonly isServerBehind: boolean;
      readonly isServerStarved: boolean;
      readonly latencyUs: { readonly p99: number } | null;
      readonly bottleneck: string | null;
    };
    readonly memory: { readonly bytesPerConnection: number } | null;
    readonly deaf: number;
    readonly deafClosed: number;
  };
  if (window.serverCpuUsPerMessage === undefined || memory === null) {
    throw new Error(`native-bench measured no server: ${line}`);
  }
  return {
    cpuUsPerMessage: window.serverCpuUsPerMessage,
    bytesPerConnection: memory.bytesPerConnection,
    isServerBehind: window.isServerBehind,
    isServerStarved: window.isServerStarved,
    latencyP99Us: window.latencyUs?.p99,
    bottleneck: window.bottleneck ?? undefined,
    deaf,
    deafClosed,
  };
}
