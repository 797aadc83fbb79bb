/**
 * Plans a drain: the number of batches, and the interval between them.
 *
 *   interval 1 s, batch 1 000, jitter 100 %   .. .: ...|:. .. ..:|. :.. .. |..
 *   the same without jitter                   #         #         #
 *                                             0 s       1 s       2 s
 *
 * A batch covers the whole node. In each round, each shard closes its share and, because of
 * rounding, at most one additional connection. A partial batch takes proportionally less time, so
 * the pace does not depend on the number of connections.
 *
 * Runs on: main. Pure.
 * Full: if not all connections can be closed within `drainLimitMs`, batches are made larger.
 */

import { invalidOption } from "../definition-checks.ts";
import { checkOption, type Options, type ResolvedOptions } from "../options/options.ts";
import type { DrainPace } from "../shard/control.ts";

const NAMES = [
  "drainBatch",
  "drainIntervalMs",
  "drainJitterPercent",
  "drainLimitMs",
  "drainMs",
  "drainDelayMs",
] as const satisfies readonly (keyof Options)[];

/** Options for a single drain. Omitted options default to the server's options. */
export type DrainOptions = Pick<Options, (typeof NAMES)[number]>;

/** The resolved options of a drain. */
export type DrainSettings = Pick<ResolvedOptions, (typeof NAMES)[number]>;

/** The plan of one drain. */
export interface DrainPlan extends Omit<DrainPace, "isOfNode"> {
  /** Time from the start of the drain until the last connection is due. */
  readonly spanMs: number;
}

/** Settings that close all connections at once and cut those with unsent bytes. */
export const AT_ONCE: DrainSettings = {
  drainBatch: Infinity,
  drainIntervalMs: 0,
  drainJitterPercent: 0,
  drainLimitMs: 0,
  drainMs: 0,
  drainDelayMs: 0,
};

/**
 * Validates the options passed to `drain`, and fills in omitted ones from the server's options.
 *
 * @throws SIM_ERR_OPTION_INVALID for an unknown name or a value out of range
 */
export function drainSettingsOf(given: DrainOptions, options: ResolvedOptions): DrainSettings {
  const known: readonly string[] = NAMES;
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const message = `drain may only have the options ${NAMES.join(", ")}, got ${unknown}`;
    throw invalidOption(message);
  }
  const settings: Record<string, number> = {};
  for (const name of NAMES) {
    const value = given[name];
    if (value !== undefined) checkOption(name, name, value);
    settings[name] = value ?? options[name];
  }
  return settings as DrainSettings;
}

/** Plans the drain of the given number of connections. */
export function planDrain(connections: number, settings: DrainSettings): DrainPlan {
  const { drainBatch, drainIntervalMs, drainJitterPercent, drainLimitMs } = settings;
  const wanted = Math.max(1, Math.ceil(connections / drainBatch));
  const fitting = Math.max(1, Math.floor(drainLimitMs / drainIntervalMs));
  const rounds = drainIntervalMs === 0 ? wanted : Math.min(wanted, fitting);
  const fill = Math.min(1, connections / rounds / drainBatch);
  const longestMs = Math.min(drainIntervalMs, drainLimitMs);
  const spreadMs = Math.round((longestMs * fill * drainJitterPercent) / 100);
  const spanMs = (rounds - 1) * drainIntervalMs + spreadMs;
  return {
    rounds,
    intervalMs: drainIntervalMs,
    spreadMs,
    spanMs,
    deadlineMs: settings.drainMs,
  };
}
