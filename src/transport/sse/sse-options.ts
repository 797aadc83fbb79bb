/**
 * Options of a mount's server-sent events.
 *
 * Runs on: shard.
 */

import {
  checkKeys,
  checkObject,
  checkPath,
  invalidOption,
  shown,
} from "../../definition-checks.ts";

/** Options of server-sent events. */
export interface SseOptions {
  /** Time for which a session waits for its client to reconnect (ms). Default: 15 s. */
  readonly resumeMs: number;
  /** Bytes of sent events that are kept for a client that reconnects. Default: 64 KiB. */
  readonly keptBytes: number;
  /** Time without an event after which a comment is sent (ms). Default: 15 s. */
  readonly heartbeatMs: number;
  /** Time after which a browser's `EventSource` connects again (ms). Default: 1 s. */
  readonly retryMs: number;
}

/** Options of a mount's server-sent events. */
export interface SseMountOptions extends Partial<SseOptions> {
  /** Path after that of the mount; may contain variables. Default: `/sse`. */
  readonly path?: string;
}

const DEFAULT_PATH = "/sse";
const DEFAULTS: SseOptions = {
  resumeMs: 15_000,
  keptBytes: 65_536,
  heartbeatMs: 15_000,
  retryMs: 1_000,
};
const RANGES: Readonly<
  Record<keyof SseOptions, readonly [min: number, max: number, unit: string]>
> = {
  // A POST may wait this long on another shard, and a call between shards ends after an hour.
  resumeMs: [100, 3_540_000, "ms"],
  keptBytes: [0, 67_108_864, "bytes"],
  heartbeatMs: [50, 3_600_000, "ms"],
  retryMs: [1, 3_600_000, "ms"],
};
const NAMES = Object.keys(DEFAULTS) as readonly (keyof SseOptions)[];

/** Returns the options of a mount's server-sent events as given, or undefined if they are off. */
export function sseOptionsOf({
  sse = false,
}: {
  readonly sse?: boolean | SseMountOptions;
}): SseMountOptions | undefined {
  if (sse === false) return undefined;
  return sse === true ? {} : sse;
}

/** Fills in defaults. */
export function withDefaults(given: SseMountOptions): SseOptions {
  const options = NAMES.map((name) => [name, given[name] ?? DEFAULTS[name]] as const);
  return Object.fromEntries(options) as unknown as SseOptions;
}

/** Returns the path at which a mount's server-sent events are served. @param mountPath - that of the mount */
export function ssePathOf(mountPath: string, { path = DEFAULT_PATH }: SseMountOptions): string {
  return `${mountPath === "/" ? "" : mountPath}${path}`;
}

/** Checks the options. @throws SIM_ERR_DEFINITION_INVALID, SIM_ERR_OPTION_INVALID */
export function checkSseOptions(path: string, given: unknown): void {
  if (given === undefined || typeof given === "boolean") return;
  checkObject(`sse of ${path}`, given, "true, false or an object");
  checkKeys(`sse of ${path}`, given, [...NAMES, "path"]);
  const { path: own, ...numbers } = given as SseMountOptions;
  if (own !== undefined) checkPath(`sse path of ${path}`, own);
  for (const name of NAMES) checkNumber(`${name} of ${path}`, name, numbers[name]);
}

function checkNumber(subject: string, name: keyof SseOptions, value: unknown): void {
  if (value === undefined) return;
  const [min, max, unit] = RANGES[name];
  if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) return;
  const range = `from ${min} to ${max} (${unit})`;
  throw invalidOption(`${subject} must be an integer ${range}, got ${shown(value)}`);
}
