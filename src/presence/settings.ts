/**
 * What a presence is told of times and limits: its definition's own options, else the server's.
 *
 * Runs on: shard. Made once for each presence.
 */

import { kindOf, makeError } from "../errors.ts";
import { automaticDownMs } from "../options/resolution.ts";
import { checkOption, type OptionName, type ResolvedOptions } from "../options/options.ts";

/** Options of a presence; what is not given here is the server's. */
export interface PresenceOptions {
  /** How often changes are told to other nodes (ms). */
  readonly broadcastPeriodMs?: number;
  /** Periods without a change after which other nodes get a sign of life. */
  readonly maxSilentPeriods?: number;
  /** Silence of another node's shard after which its presences are not seen (ms). */
  readonly downPeriodMs?: number;
  /** Silence after which they are forgotten (ms). */
  readonly permdownPeriodMs?: number;
  /** Removals that a shard remembers for who missed them. */
  readonly maxDeltaSize?: number;
  /** Largest presence: topic, key and meta as JSON (bytes). */
  readonly maxBytes?: number;
  /** Time for `fetch` to settle (ms). */
  readonly fetchTimeoutMs?: number;
  /**
   * True: what is still tracked when a shard ends in order leaves at once, everywhere. Without it,
   * other nodes see it until `downPeriodMs` has passed. Channels have ended by then, and left.
   */
  readonly permdownOnShutdown?: boolean;
  /**
   * `any`: keys may be names that every object of JavaScript has, as `constructor`. Clients of
   * Phoenix before 1.8.9 throw at them; without it they are refused.
   */
  readonly keys?: "any";
}

/** The options of one presence, all of them. */
export type PresenceSettings = Readonly<Record<IntegerName, number>> & {
  readonly permdownOnShutdown: boolean;
  readonly isAnyKey: boolean;
};

type IntegerName = keyof typeof SERVER_OPTION;

/** The server's option that each stands in for. */
const SERVER_OPTION = {
  broadcastPeriodMs: "presencePeriodMs",
  maxSilentPeriods: "presenceSilentPeriods",
  downPeriodMs: "presenceDownMs",
  permdownPeriodMs: "presencePermdownMs",
  maxDeltaSize: "presenceDeltaSize",
  maxBytes: "presenceMaxBytes",
  fetchTimeoutMs: "presenceFetchMs",
} as const satisfies Partial<Record<keyof PresenceOptions, OptionName>>;

const INTEGERS = Object.keys(SERVER_OPTION) as IntegerName[];

/** Names of the options. */
export const PRESENCE_OPTIONS = [
  ...INTEGERS,
  "permdownOnShutdown",
  "keys",
] as const satisfies readonly (keyof PresenceOptions)[];

/** Checks what a definition gives. @throws SIM_ERR_OPTION_INVALID, SIM_ERR_DEFINITION_INVALID */
export function checkPresenceOptions(name: string, given: PresenceOptions): void {
  for (const option of INTEGERS) {
    const value = given[option];
    if (value === undefined) continue;
    checkOption(SERVER_OPTION[option], `${option} of presence ${name}`, value);
  }
  const { permdownOnShutdown, keys } = given as Readonly<Record<string, unknown>>;
  if (permdownOnShutdown !== undefined && typeof permdownOnShutdown !== "boolean") {
    throw invalid(`permdownOnShutdown of presence ${name} must be true or false`);
  }
  if (keys !== undefined && keys !== "any") {
    throw invalid(`keys of presence ${name} must be "any", got ${kindOf(keys)}`);
  }
}

/** Gives the options of a presence on a server. @throws SIM_ERR_OPTION_INVALID */
export function settingsOf(
  name: string,
  given: PresenceOptions,
  server: ResolvedOptions,
): PresenceSettings {
  const numbers = Object.fromEntries(
    INTEGERS.map((option) => [option, given[option] ?? server[SERVER_OPTION[option]]]),
  ) as Record<IntegerName, number>;
  const { broadcastPeriodMs, maxSilentPeriods } = numbers;
  const hasOwnPeriod =
    given.broadcastPeriodMs !== undefined || given.maxSilentPeriods !== undefined;
  if (hasOwnPeriod && given.downPeriodMs === undefined) {
    numbers.downPeriodMs = automaticDownMs(broadcastPeriodMs, maxSilentPeriods);
  }
  const { downPeriodMs, permdownPeriodMs } = numbers;
  if (downPeriodMs < 2 * broadcastPeriodMs) {
    const least = `at least twice broadcastPeriodMs (${broadcastPeriodMs} ms)`;
    throw unfit(`downPeriodMs of presence ${name} must be ${least}, got ${downPeriodMs} (ms)`);
  }
  if (permdownPeriodMs <= downPeriodMs) {
    const more = `more than downPeriodMs (${downPeriodMs} ms)`;
    throw unfit(
      `permdownPeriodMs of presence ${name} must be ${more}, got ${permdownPeriodMs} (ms)`,
    );
  }
  const { permdownOnShutdown = false, keys } = given;
  return { ...numbers, permdownOnShutdown, isAnyKey: keys === "any" };
}

function invalid(message: string): Error {
  return makeError("SIM_ERR_DEFINITION_INVALID", message);
}

function unfit(message: string): Error {
  return makeError("SIM_ERR_OPTION_INVALID", message);
}
