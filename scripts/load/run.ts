/**
 * Runs one load test: a server, the generator, and the readings of both for each interval.
 *
 * Runs on: the load test's process.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer, type RunningServer } from "../bench/servers.ts";
import { GeneratorProcess, type GeneratorEnd } from "./generator-process.ts";
import type { LoadOptions } from "./options.ts";
import { readPercentiles, type PercentilePoint } from "./percentiles.ts";
import type { Interval } from "./record.ts";
import { Sampler } from "./sampler.ts";

/** The server under load. */
export type Target = Pick<RunningServer, "url" | "statsUrl"> & { readonly pid: number | undefined };

/** The outcome of a run. */
export interface RunOutcome extends GeneratorEnd {
  readonly intervals: readonly Interval[];
  readonly percentiles: readonly PercentilePoint[];
  /** The reason why the server's stats could not be read, if an attempt failed. */
  readonly statsFailure: string | undefined;
}

/** The options that concern the run itself. */
export type RunSetting = Pick<LoadOptions, "load" | "seconds" | "everyMs">;

/** Scenarios that determine their own length and do not accept `--duration`. */
const WITHOUT_DURATION = new Set(["connect", "reconnect", "mixed"]);

/**
 * Returns the length of the measured window in seconds; undefined if the scenario determines it.
 */
export function windowOf({
  load,
  seconds,
}: Pick<RunSetting, "load" | "seconds">): number | undefined {
  return WITHOUT_DURATION.has(load[0] ?? "") ? undefined : seconds;
}

/** Time to start and stop a server, to connect and to warm up (s). */
const BESIDES_SECONDS = 5;

/** Estimates the time of a run (s); undefined if the scenario or a search determines it. */
export function secondsOfLoad(options: Pick<RunSetting, "load" | "seconds">): number | undefined {
  const seconds = windowOf(options);
  return seconds === undefined || options.load.includes("--search-p99")
    ? undefined
    : seconds + BESIDES_SECONDS;
}

/**
 * Runs `use` with the server at `url`, or with a server that is started before and stopped
 * afterwards.
 */
export async function withTarget<Result>(
  { url, pid, statsUrl, shards }: Pick<LoadOptions, "url" | "pid" | "statsUrl" | "shards">,
  use: (target: Target) => Promise<Result>,
): Promise<Result> {
  if (url !== undefined) return use({ url, pid, statsUrl });
  const server = await startServer("simurgh", shards, { hasStats: true });
  let result: Result;
  try {
    result = await use(server);
  } catch (error) {
    // A failure of the run is more important than a failure to stop the server.
    await server.stop().catch(() => undefined);
    throw error;
  }
  await server.stop();
  return result;
}

/** Returns the generator's command line. */
export function wordsOf(setting: RunSetting, target: Target): readonly string[] {
  const { load, everyMs } = setting;
  const seconds = windowOf(setting);
  return [
    ...load,
    ...(seconds !== undefined ? ["--duration", `${seconds * 1_000}ms`] : []),
    "--url",
    target.url,
    ...(target.pid === undefined ? [] : ["--server-pid", String(target.pid)]),
    "--json",
    "--live",
    `${everyMs}ms`,
  ];
}

/** Runs the load against a server. Calls `onInterval` at the end of each interval. */
export async function runLoad(
  setting: RunSetting,
  target: Target,
  onInterval: (interval: Interval) => void,
): Promise<RunOutcome> {
  const folder = mkdtempSync(join(tmpdir(), "simurgh-load-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    const file = join(folder, "latency.hgrm");
    const generator = new GeneratorProcess([...wordsOf(setting, target), "--hgrm", file]);
    const intervals: Interval[] = [];
    const sampler = samplerOf(target, generator.pid);
    const end = await generator.read(async (live) => {
      const server = (await sampler?.sample()) ?? null;
      const lengthSeconds = live.seconds - (intervals.at(-1)?.seconds ?? 0);
      const interval = { ...live, lengthSeconds, server };
      intervals.push(interval);
      onInterval(interval);
    });
    return {
      ...end,
      intervals,
      percentiles: end.result?.window.latencyUs ? readPercentiles(textOf(file)) : [],
      statsFailure: sampler?.statsFailure,
    };
  } finally {
    process.removeListener("exit", remove);
    remove();
  }
}

function samplerOf({ pid, statsUrl }: Target, generatorPid: number): Sampler | undefined {
  return pid === undefined ? undefined : new Sampler({ pid, statsUrl, generatorPid });
}

/** Reads a file; empty if the generator did not write it because the run has no latencies. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
