/**
 * One load test: a server, the generator, and what both did, interval by interval.
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

/** The server that a run is against. */
export type Target = Pick<RunningServer, "url" | "statsUrl"> & { readonly pid: number | undefined };

/** What a run gave. */
export interface RunOutcome extends GeneratorEnd {
  readonly intervals: readonly Interval[];
  readonly percentiles: readonly PercentilePoint[];
  /** Why the server did not tell its numbers, where it was asked in vain. */
  readonly statsFailure: string | undefined;
}

/** What of the options concerns the run itself. */
export type RunSetting = Pick<LoadOptions, "load" | "seconds" | "everyMs">;

/** Scenarios that last as long as what they do, and take no `--duration`. */
const WITHOUT_DURATION = new Set(["connect", "reconnect", "mixed"]);

/** Seconds of the measured window; undefined where the scenario says how long it is. */
export function windowOf({
  load,
  seconds,
}: Pick<RunSetting, "load" | "seconds">): number | undefined {
  return WITHOUT_DURATION.has(load[0] ?? "") ? undefined : seconds;
}

/** Starts the server that the options ask for, runs `use` with it, and stops it. */
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
    // Why the run failed matters more than how the server ends after that.
    await server.stop().catch(() => undefined);
    throw error;
  }
  await server.stop();
  return result;
}

/** The generator's command line. */
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

/** Runs the load against a server. `onInterval` is told of each interval as it ends. */
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

/** Empty where the generator did not write it, as where a run has no latencies. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
