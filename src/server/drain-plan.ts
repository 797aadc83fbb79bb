/**
 * Plans a drain: into how many batches so many connections are split, and how fast these follow.
 *
 *   1 s, 1 000 a batch, all jitter       .. .: ...|:. .. ..:|. :.. .. |..
 *   the same without jitter              #         #         #
 *                                        0 s       1 s       2 s
 *
 * A batch is one of the whole node: each shard ends its share in each round, and up to one more, as
 * shares are rounded. Connections are ended at the same pace however few there are: a batch that is
 * not full takes less time.
 *
 * Runs on: main. Pure.
 * Full: more connections than fit into `drainLimitMs` go in larger batches.
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

/** What of a drain can be said each time: the server's options stand in for the others. */
export type DrainOptions = Pick<Options, (typeof NAMES)[number]>;

/** How a drain is to go. */
export type DrainSettings = Pick<ResolvedOptions, (typeof NAMES)[number]>;

/** The plan of one drain. */
export interface DrainPlan extends Omit<DrainPace, "isOfNode"> {
  /** From the beginning until the last connection is due. */
  readonly spanMs: number;
}

/** All at once, and who does not take its last bytes is cut. */
export const AT_ONCE: DrainSettings = {
  drainBatch: Infinity,
  drainIntervalMs: 0,
  drainJitterPercent: 0,
  drainLimitMs: 0,
  drainMs: 0,
  drainDelayMs: 0,
};

/**
 * Fills in what a caller of `drain` left out.
 *
 * @throws SIM_ERR_OPTION_INVALID for an unknown name, or a value that the option cannot have
 */
export function drainSettingsOf(given: DrainOptions, options: ResolvedOptions): DrainSettings {
  const known: readonly string[] = NAMES;
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const message = `options of drain must be some of ${NAMES.join(", ")}, got ${unknown}`;
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

/** Plans the drain of so many connections. */
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
