/**
 * The topics that a session has joined, as they are stored for its next holder.
 *
 * Runs on: shard; one for each session.
 */

import type { HistoryPosition, Outcome, StoredJoin } from "./outcome.ts";
import type { RowMessage } from "./rows.ts";

const OK = /^\{"status":"ok"/;

/** What the answer to a join says about the history. */
export interface AnsweredHistory extends HistoryPosition {
  /** False if something is missing before the position. */
  readonly recovered: boolean;
}

/** The joins of a session. */
export class SessionJoins {
  readonly #joins = new Map<string, StoredJoin>();

  /** @param stored - in the order in which the topics were joined */
  constructor(stored: readonly StoredJoin[]) {
    for (const join of stored) this.#joins.set(join.topic, join);
  }

  get(topic: string): StoredJoin | undefined {
    return this.#joins.get(topic);
  }

  /** Notes that the join in a row was accepted. */
  joined(join: RowMessage, answer: string, outcome: Outcome): void {
    const { topic, joinRef, ref } = join;
    const payload = join.payload ?? "{}";
    this.#joins.set(topic, { topic, joinRef, ref, payload, history: positionIn(answer) });
    outcome.joined(topic);
  }

  /** Notes that a stored join was accepted again, which changes its position only. */
  rejoined(topic: string, answer: string, outcome: Outcome): void {
    const join = this.#joins.get(topic);
    const history = positionIn(answer);
    if (!join || !history) return;
    join.history = history;
    outcome.passed(topic);
  }

  /** Notes that a channel has ended. */
  left(topic: string, outcome: Outcome): void {
    if (this.#joins.delete(topic)) outcome.joined(topic);
  }

  /** Notes the offset that a message carries, if its topic was joined with the history. */
  passed({ topic, ref, joinRef }: RowMessage, outcome: Outcome): void {
    const join = joinRef === null && ref !== null ? this.#joins.get(topic) : undefined;
    if (!join?.history || ref === null) return;
    join.history = { ...join.history, offset: ref };
    outcome.passed(topic);
  }
}

/** Returns the message by which a stored join is passed on again. */
export function messageOfJoin({ topic, joinRef, ref, payload, history }: StoredJoin): RowMessage {
  const asked =
    history && payload.startsWith("{") ? withHistory(payload, JSON.stringify(history)) : payload;
  return { joinRef, ref, topic, event: "phx_join", payload: asked, bytes: null };
}

// The payload is not parsed, since JavaScript would lose digits of large numbers. Of two members with the same name, the
// last one counts.
function withHistory(payload: string, history: string): string {
  const end = payload.lastIndexOf("}");
  const separator = payload.slice(0, end).trimEnd() === "{" ? "" : ",";
  return `${payload.slice(0, end)}${separator}"history":${history}}`;
}

/** Reports whether a message is the reply to another. */
export function isReplyTo({ event, topic, ref }: RowMessage, asked: RowMessage): boolean {
  return event === "phx_reply" && topic === asked.topic && ref === asked.ref;
}

/** Reports whether the payload of a reply says ok. */
export function isOk(payload: string | null): boolean {
  return payload !== null && OK.test(payload);
}

/** Returns the payload of `phx_error` for a reply that refuses a join. */
export function reasonIn(answer: string): string {
  return JSON.stringify((JSON.parse(answer) as { readonly response?: unknown }).response ?? {});
}

/** Returns the history in the answer to a join; undefined if it has none. */
export function historyIn(answer: string): AnsweredHistory | undefined {
  if (!answer.includes('"history"')) return undefined;
  const { response } = JSON.parse(answer) as {
    readonly response?: { readonly history?: Partial<AnsweredHistory> | null } | null;
  };
  const { epoch, offset, recovered = true } = response?.history ?? {};
  return typeof epoch === "string" && typeof offset === "string"
    ? { epoch, offset, recovered }
    : undefined;
}

function positionIn(answer: string): HistoryPosition | null {
  const history = historyIn(answer);
  return history ? { epoch: history.epoch, offset: history.offset } : null;
}
