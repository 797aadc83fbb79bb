/**
 * The option `history` of a channel, and what clients ask for with the key `history` of a join.
 *
 * Runs on: shard.
 */

import { checkCount, checkKeys, invalid, shown } from "../definition-checks.ts";
import type { TopicHistory } from "../pubsub/kept-topics.ts";

/** What is kept of each topic of a channel. */
export interface HistoryOption {
  /** Maximum number of messages per topic, up to 1 000 000. */
  readonly size: number;
  /** Time for which a message is kept (ms), up to a year. */
  readonly ttlMs: number;
  /**
   * Maximum size of the messages of a topic (bytes), up to 1 GiB. Default: 16 MiB. A message that is larger is sent but
   * not kept, and clients that were away are told that they miss it. So do not let clients send such messages.
   */
  readonly maxBytes?: number;
  /** Events that are sent at once and never kept, such as `typing`. */
  readonly ephemeral?: readonly string[];
}

const KEYS = Object.keys({
  size: true,
  ttlMs: true,
  maxBytes: true,
  ephemeral: true,
} satisfies Record<keyof HistoryOption, true>);
const MAX_SIZE = 1_000_000;
const MAX_TTL_MS = 31_536_000_000;
const MAX_BYTES = 1_073_741_824;
const DEFAULT_BYTES = 16_777_216;

/**
 * Checks the option, and fills in defaults.
 *
 * @param slow - the channel's option `slow`, with which there can be no history
 * @throws SIM_ERR_DEFINITION_INVALID
 */
export function historyOf(given: unknown, slow: unknown): TopicHistory | undefined {
  if (given === undefined) return undefined;
  checkKeys("history", given, KEYS);
  const { size, ttlMs, maxBytes = DEFAULT_BYTES, ephemeral = [] } = given as HistoryOption;
  checkCount("size of history", size, MAX_SIZE, "messages");
  checkCount("ttlMs of history", ttlMs, MAX_TTL_MS, "ms");
  checkCount("maxBytes of history", maxBytes, MAX_BYTES, "bytes");
  const isList = Array.isArray(ephemeral) && ephemeral.every((one) => typeof one === "string");
  if (!isList)
    throw invalid(`ephemeral of history must be a list of events, got ${shown(ephemeral)}`);
  if (slow !== undefined) {
    throw invalid(
      "a channel must not have both history and slow, which lets clients miss broadcasts",
    );
  }
  return { size, ttlMs, maxBytes, ephemeral: [...ephemeral] };
}

/** What a client asks for when it joins. */
export interface Asked {
  /** The position of the last message that it got. */
  readonly epoch: string | undefined;
  readonly after: number | undefined;
  /** Number of messages that it wants if it has no position, or cannot be recovered. */
  readonly last: number | undefined;
}

/** A join's payload, divided. */
export interface AskingJoin {
  /** Undefined if what the client asks for is malformed. */
  readonly asked: Asked | undefined;
  /** The payload without the key. */
  readonly payload: object;
}

const KEY = "history";
const ASKED_KEYS: readonly string[] = ["epoch", "offset", "last", "optional"];
const LIVE: Asked = { epoch: undefined, after: undefined, last: undefined };
const MAX_EPOCH_UNITS = 64;

/** Returns what a join asks for; undefined if its payload does not have the key. */
export function askingJoin(payload: unknown): AskingJoin | undefined {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return undefined;
  if (payload instanceof Uint8Array || !Object.hasOwn(payload, KEY)) return undefined;
  const { [KEY]: given, ...rest } = payload as Readonly<Record<string, unknown>>;
  return { asked: askedOf(given), payload: rest };
}

/**
 * Returns the payload of a join on a topic without a history. The key belongs to the app there, unless its
 * value says `optional: true`. Clients that do not know which topics have a history send that, such as
 * `simurgh/client`; the app does not get the key then.
 */
export function withoutOptional(payload: unknown): unknown {
  if (typeof payload !== "object" || payload === null || !(KEY in payload)) return payload;
  const { [KEY]: given, ...rest } = payload as Readonly<Record<string, unknown>>;
  return Object(given).optional === true ? rest : payload;
}

function askedOf(given: unknown): Asked | undefined {
  if (given === null) return LIVE;
  if (typeof given !== "object" || Array.isArray(given)) return undefined;
  if (!areAskedKeys(Object.keys(given))) return undefined;
  const { epoch, offset, last, optional = true } = given as Readonly<Record<string, unknown>>;
  if (optional !== true || !isLast(last)) return undefined;
  if (epoch === undefined && offset === undefined) return { ...LIVE, last };
  const after = positionOf(offset);
  if (after === undefined || !isEpoch(epoch)) return undefined;
  return { epoch, after, last };
}

function areAskedKeys(keys: readonly string[]): boolean {
  return keys.length > 0 && keys.every((key) => ASKED_KEYS.includes(key));
}

function isEpoch(epoch: unknown): epoch is string {
  return typeof epoch === "string" && epoch.length <= MAX_EPOCH_UNITS;
}

/** Returns the position of an offset on the wire; undefined if it is malformed. */
function positionOf(offset: unknown): number | undefined {
  if (typeof offset !== "string" || !/^\d{1,16}$/.test(offset)) return undefined;
  const position = Number(offset);
  return Number.isSafeInteger(position) ? position : undefined;
}

function isLast(last: unknown): last is number | undefined {
  if (last === undefined) return true;
  return Number.isInteger(last) && (last as number) >= 0 && (last as number) <= MAX_SIZE;
}
