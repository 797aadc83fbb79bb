/**
 * Reads the history of a topic for user code.
 *
 * Runs on: main, shard.
 */

import { checkKeys, invalidOption, isCount, shown } from "../definition-checks.ts";
import { makeError } from "../errors.ts";
import { Envelope } from "./envelope.ts";
import { Trailer, type Answer } from "./history-records.ts";
import type { KeptAt, Keeping } from "./keeping.ts";

/** Which messages of a topic are read. */
export interface HistoryRequest {
  /** Position after which messages are read, as in a result or a reply to a publish. */
  readonly since?: KeptAt;
  /**
   * Number of the last messages that are read if `since` is not given, or cannot be recovered. With 0, only the
   * position is told. Default: `limit` without `since`, otherwise 0.
   */
  readonly last?: number;
  /** Maximum number of messages, 1 to 10 000. Default: 1 000. */
  readonly limit?: number;
}

/** A message in the history of a topic. */
export interface HistoryMessage {
  /** Decimal digits. Offsets of a topic rise by one. */
  readonly offset: string;
  readonly event: string;
  readonly payload: unknown;
}

/** Messages of a topic, the oldest first. */
export interface HistoryPage {
  readonly epoch: string;
  /** Offset of the last message in the page, from which the next page can be read with `since`. */
  readonly offset: string;
  /** Whether no message is missing between the asked position and this one. */
  readonly recovered: boolean;
  readonly messages: readonly HistoryMessage[];
}

const KEYS = ["since", "last", "limit"] satisfies readonly (keyof HistoryRequest)[];
const MAX_LIMIT = 10_000;
const DEFAULT_LIMIT = 1_000;
const PAGE_BYTES = 65_536;

/**
 * Reads the history of a topic that has one.
 *
 * @throws SIM_ERR_OPTION_INVALID; SIM_ERR_NOT_KEPT if its keeper does not answer in time
 */
export async function readHistory(
  keeping: Keeping,
  topic: string,
  hash: number,
  request: HistoryRequest = {},
): Promise<HistoryPage> {
  const { since, last, limit, after } = checked(request);
  const messages: HistoryMessage[] = [];
  const deadlineMs = performance.now() + keeping.timeoutMs;
  const add = (answer: Answer): boolean => addTo(messages, limit, answer);
  const spec = { topic, hash, maxBytes: PAGE_BYTES };
  const first = { ...spec, epoch: since?.epoch, after, last, whole: true };
  let page = await pulled(keeping, first, deadlineMs, add);
  const { epoch, recovered } = page;
  while (!page.isLast && messages.length < limit) {
    const next = { ...spec, epoch, after: page.position };
    const { position } = page;
    page = await pulled(keeping, next, deadlineMs, add);
    // If something was trimmed between two pages, what was read before it is still complete.
    if (!page.recovered) page = { ...page, position, isLast: true };
  }
  return { epoch, offset: String(page.position), recovered, messages };
}

interface PulledPage {
  readonly epoch: string;
  readonly position: number;
  readonly recovered: boolean;
  readonly isLast: boolean;
}

async function pulled(
  keeping: Keeping,
  spec: Parameters<Keeping["pull"]>[0],
  deadlineMs: number,
  add: (answer: Answer) => boolean,
): Promise<PulledPage> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => {
        keeping.cancel(pull);
        const message = `a history must be read within ${keeping.timeoutMs} (ms), got no answer`;
        reject(makeError("SIM_ERR_NOT_KEPT", message));
      },
      Math.max(1, deadlineMs - performance.now()),
    );
    const pull = keeping.pull(spec, (answer) => {
      clearTimeout(timer);
      const { epoch, after, recovered, isLast } = answer.head;
      let position = after;
      while (add(answer)) ({ position } = answer);
      resolve({ epoch, position, recovered, isLast });
    });
  });
}

const envelope = new Envelope(true);
const trailer = new Trailer();

/** Adds the next message of an answer. @returns false if there is none, or no room */
function addTo(messages: HistoryMessage[], limit: number, answer: Answer): boolean {
  if (messages.length === limit || !answer.next()) return false;
  answer.read(envelope, trailer);
  const offset = String(answer.position);
  messages.push({ offset, event: envelope.event(), payload: envelope.payload() });
  return true;
}

function checked(request: HistoryRequest): {
  readonly since: KeptAt | undefined;
  readonly after: number | undefined;
  readonly last: number | undefined;
  readonly limit: number;
} {
  if (typeof request !== "object" || request === null) {
    throw invalidOption(`request of a history must be an object, got ${shown(request)}`);
  }
  checkKeys("request of a history", request, KEYS);
  const { since, limit = DEFAULT_LIMIT } = request;
  if (!isCount(limit, MAX_LIMIT)) {
    throw invalidOption(`limit must be an integer from 1 to ${MAX_LIMIT}, got ${shown(limit)}`);
  }
  const last = request.last ?? (since === undefined ? limit : undefined);
  if (last !== undefined && last !== 0 && !isCount(last, Number.MAX_SAFE_INTEGER)) {
    throw invalidOption(`last must be an integer of at least 0, got ${shown(last)}`);
  }
  return { since, after: since && positionOf(since), last, limit };
}

function positionOf(since: KeptAt): number {
  const { epoch, offset } = Object(since) as Partial<KeptAt>;
  const isValid =
    typeof epoch === "string" && typeof offset === "string" && /^\d{1,16}$/.test(offset);
  if (isValid && Number.isSafeInteger(Number(offset))) return Number(offset);
  throw invalidOption("since must be { epoch, offset }, as in a result");
}
