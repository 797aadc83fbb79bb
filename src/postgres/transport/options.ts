/**
 * The options of the transport.
 *
 * Runs on: shard.
 */

import { checkLiteralKeys, invalid, shown } from "../../definition-checks.ts";
import type { PostgresOptions } from "../address.ts";

/** Options of `postgresTransport`. */
export interface PostgresTransportOptions extends PostgresOptions {
  /** Path of the socket that sessions may be opened for, or several. Sessions of others are refused. */
  readonly path: string | readonly string[];
  /** Maximum number of sessions of each shard. Further ones wait for another shard. Default: 10 000. */
  readonly maxSessions?: number;
  /**
   * Time after which the sessions of a shard that does not answer are taken over (ms). Default: 15 000, at least
   * 1 000.
   */
  readonly leaseMs?: number;
  /** Interval of looks at the tables, in case a notification was lost (ms). Default: 5 000. */
  readonly pollMs?: number;
  /**
   * Maximum size of a row of the inbox (bytes). A longer one ends its session with 1009, as does one above the server's
   * `maxFrameBytes`. Default: 256 KiB.
   */
  readonly maxRowBytes?: number;
  /** Number of rows in the outbox of a session above which its client is slow. Default: 10 000. */
  readonly outboxRows?: number;
  /** Size of the outbox of a session above which its client is slow (characters). Default: 16 MiB. */
  readonly outboxBytes?: number;
  /** Time after which rows that nobody takes end their session, and ended sessions are deleted (ms). Default: a day. */
  readonly retentionMs?: number;
  /** Time without a row from its program after which a session is ended (ms). Default: a day. 0: never. */
  readonly idleMs?: number;
  /** Time for which a row waits for the reply of a `replyLater` (ms). Default: 60 000. */
  readonly laterReplyMs?: number;
}

/** `connectInfo.postgres` of a session, in `connect`. */
export interface PostgresInfo {
  /** The role that opened the session, as the database says: that of SET ROLE, or else the one that logged in. */
  readonly role: string;
  /** What the program says about itself. Nobody has checked it: trust it as much as the role. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Id of the session. */
  readonly session: string;
}

/** The options, with their defaults. */
export type TransportSettings = Readonly<Record<NumberName, number>> & {
  readonly paths: readonly string[];
};

interface NumberRule {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
}

const DAY_MS = 86_400_000;
/** The longest time that timers of Node.js accept. */
const MAX_MS = 2_147_483_647;

const NUMBERS = {
  maxSessions: { default: 10_000, min: 1, max: 1_000_000, unit: "sessions" },
  leaseMs: { default: 15_000, min: 1_000, max: 600_000, unit: "ms" },
  pollMs: { default: 5_000, min: 50, max: 600_000, unit: "ms" },
  maxRowBytes: { default: 262_144, min: 1, max: 16_777_216, unit: "bytes" },
  outboxRows: { default: 10_000, min: 1, max: 10_000_000, unit: "rows" },
  outboxBytes: { default: 16_777_216, min: 1_024, max: 1_073_741_824, unit: "bytes" },
  retentionMs: { default: DAY_MS, min: 1_000, max: MAX_MS, unit: "ms" },
  idleMs: { default: DAY_MS, min: 0, max: MAX_MS, unit: "ms" },
  laterReplyMs: { default: 60_000, min: 1, max: MAX_MS, unit: "ms" },
} as const satisfies Record<string, NumberRule>;

type NumberName = keyof typeof NUMBERS;
const NAMES = Object.keys(NUMBERS) as NumberName[];

/** @throws SIM_ERR_DEFINITION_INVALID */
export function settingsOf(options: PostgresTransportOptions): TransportSettings {
  checkLiteralKeys("postgresTransport", options, ["url", "schema", "path", ...NAMES]);
  const numbers = NAMES.map((name) => [name, numberOf(name, options[name])] as const);
  return {
    ...(Object.fromEntries(numbers) as Record<NumberName, number>),
    paths: pathsOf(options.path),
  };
}

function numberOf(name: NumberName, given: number | undefined): number {
  const { default: usual, min, max, unit }: NumberRule = NUMBERS[name];
  const value = given ?? usual;
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalid(`${name} must be an integer from ${min} to ${max} (${unit}), got ${shown(given)}`);
}

function pathsOf(given: unknown): readonly string[] {
  const paths: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (paths.length > 0 && paths.every(isPath)) return paths;
  throw invalid(`path must be a path that starts with /, or a list of such, got ${shown(given)}`);
}

function isPath(path: unknown): path is string {
  return typeof path === "string" && path.startsWith("/");
}
