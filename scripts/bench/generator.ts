/**
 * Builds the load generator, native-bench, runs it, and reads its line of JSON.
 *
 * Runs on: the bench's process.
 */

import { execFile, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { RunningServer } from "./servers.ts";
import type { Work } from "./works.ts";

/** From `dist/scripts/bench` to the package's root. */
const FOLDER = fileURLToPath(new URL("../../../native-bench/", import.meta.url));
/** Path of the program, which exists after `buildGenerator`. */
export const GENERATOR = `${FOLDER}build/native-bench`;
const RUN_DEADLINE_MS = 180_000;
const US_PER_S = 1_000_000;

/** The results of one run of the generator. */
export interface Measurement {
  /** Server CPU for each message delivered (in `connect`: for each join). */
  readonly cpuUsPerMessage: number;
  /** Time for each message that was sent. */
  readonly timeUsPerMessage: number;
  /** Server memory per additional joined connection. */
  readonly bytesPerConnection: number;
  /** The server fell behind the load; its CPU per message is then unreliable. */
  readonly isServerBehind: boolean;
  /** The server had to wait for a core, and therefore used larger batches than usual. */
  readonly isServerStarved: boolean;
  /** Undefined if the generator rejected the figure. */
  readonly latencyP99Us: number | undefined;
  /** The reason why the generator rejected it. */
  readonly bottleneck: string | undefined;
  /** Number of connections that did not read, and the number of them that the server closed. */
  readonly deaf: number;
  readonly deafClosed: number;
}

/** Builds the generator. @throws Error with the compiler's output if that fails */
export function buildGenerator(): void {
  const words = ["-C", FOLDER, "--silent", `-j${availableParallelism()}`];
  const { status, stdout, stderr, error } = spawnSync("make", words, { encoding: "utf8" });
  if (error !== undefined) throw new Error(`make could not be run: ${error.message}`);
  if (status !== 0) throw new Error(`native-bench failed to build:\n${stdout}${stderr}`);
}

/** Creates the generator's command line for a workload. */
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

/** Runs the generator once. @throws Error with its report if the run failed */
export async function runGenerator(words: readonly string[]): Promise<Measurement> {
  return readMeasurement(await runForJson(words));
}

/** Runs the generator once. @returns its line of JSON. @throws Error as `runGenerator` does */
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

/** Parses the generator's line of JSON. @throws Error if a figure is missing */
export function readMeasurement(line: string): Measurement {
  const { window, memory, deaf, deafClosed } = JSON.parse(line) as {
    readonly window: {
      readonly serverCpuUsPerMessage?: number;
      readonly rateReached: number;
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
    throw new Error(`native-bench must have measured the server, got ${line}`);
  }
  return {
    cpuUsPerMessage: window.serverCpuUsPerMessage,
    timeUsPerMessage: US_PER_S / window.rateReached,
    bytesPerConnection: memory.bytesPerConnection,
    isServerBehind: window.isServerBehind,
    isServerStarved: window.isServerStarved,
    latencyP99Us: window.latencyUs?.p99,
    bottleneck: window.bottleneck ?? undefined,
    deaf,
    deafClosed,
  };
}
