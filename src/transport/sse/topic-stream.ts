/**
 * A stream of topics for a plain `EventSource`: the server joins for the client, and turns frames into events.
 *
 *   a topic: joining --ok--> joined --phx_error--> waiting --> joining
 *               |               |                     ^
 *               |               +--phx_close--> left  |
 *               +--refused for now -------------------+
 *               +--refused--> left
 *
 * Each event has an id with the positions of all topics that have a history. A client that reconnects with an id, on any
 * shard or node, gets what followed these positions. The answer to each join tells whether that was everything
 * (`recovered`).
 *
 * Runs on: the shard with the session.
 */

import { eventOf, markOf } from "./event.ts";
import { tryReadFrame, type SentMessage } from "./message-frame.ts";
import type { FrameEncoder } from "./session-ends.ts";
import type { Receive } from "./post-queue.ts";
import { hashOf, positionsText, type Position, type TopicRequest } from "./topic-request.ts";

/** What a stream of topics needs. */
export interface TopicStreamParts {
  readonly request: TopicRequest;
  /** Positions in the id of a client that reconnects after its session has ended. */
  readonly positions: readonly (Position | undefined)[] | undefined;
  /** Whether the client reconnects, so that messages may be missing. */
  readonly isReturn: boolean;
  /** Passes a frame to the connection. */
  readonly receive: Receive;
  /** Returns the id of an event. */
  readonly idOf: (number: number, rest: string) => string;
}

interface Topic {
  readonly name: string;
  readonly index: number;
  /** Ref of its last join. */
  ref: string;
  position: Position | undefined;
  /** Whether messages may be missing before the next join, unless a history says otherwise. */
  mayMiss: boolean;
  /** Joins in a row that were not accepted. */
  tries: number;
  timer: NodeJS.Timeout | undefined;
}

interface JoinReply {
  readonly status: string;
  readonly response?: {
    readonly reason?: unknown;
    readonly retry_after?: unknown;
    readonly history?: unknown;
  };
}

const EVENT = {
  join: "phx_join",
  reply: "phx_reply",
  close: "phx_close",
  error: "phx_error",
  history: "history",
} as const;
const OWN_EVENTS = "phx_";
/** Reasons of temporary refusals. `join` may have thrown because a database was unavailable. */
const TEMPORARY: readonly unknown[] = [
  "overloaded",
  "rate_limited",
  "join timeout",
  "join crashed",
];
/** Time until the next join (ms), as in the official client. */
const REJOIN_AFTER_MS = [1_000, 2_000, 5_000];
const MAX_REJOIN_AFTER_MS = 10_000;

/** The topics of a stream. */
export class TopicStream implements FrameEncoder {
  readonly #parts: TopicStreamParts;
  readonly #topics = new Map<string, Topic>();
  readonly #hash: string;
  /** What ids have in addition to token and number; undefined if a position has changed. */
  #rest: string | undefined = undefined;
  #nextRef = 1;
  #isStopped = false;

  constructor(parts: TopicStreamParts) {
    this.#parts = parts;
    const { request, positions, isReturn } = parts;
    this.#hash = hashOf(request.topics);
    for (const [index, name] of request.topics.entries()) {
      this.#topics.set(name, {
        name,
        index,
        ref: "",
        position: positions?.[index],
        mayMiss: isReturn,
        tries: 0,
        timer: undefined,
      });
    }
  }

  /** Joins all topics. */
  start(): void {
    for (const topic of this.#topics.values()) this.#join(topic);
  }

  stop(): void {
    this.#isStopped = true;
    for (const { timer } of this.#topics.values()) clearTimeout(timer);
  }

  encode(frame: string | Uint8Array, number: number): string | undefined {
    const message = tryReadFrame(frame);
    const topic = message && this.#topics.get(message.topic);
    // Messages of an earlier join of the topic are left out.
    if (!topic || !isOfJoin(message, topic)) return undefined;
    if (message.event === EVENT.reply) return this.#joined(topic, message, number);
    if (message.event === EVENT.error) this.#rejoin(topic);
    else if (message.event === EVENT.close) this.#set(topic, undefined);
    else if (topic.position && message.ref !== null && !message.event.startsWith(OWN_EVENTS)) {
      this.#set(topic, { epoch: topic.position.epoch, offset: message.ref });
      if (message.event === EVENT.history) return markOf(this.#idOf(number));
    }
    return this.#eventOf(message, number, "");
  }

  // -- joins -------------------------------------------------------------------------------------

  #join(topic: Topic): void {
    if (this.#isStopped) return;
    topic.timer = undefined;
    topic.ref = String(this.#nextRef);
    this.#nextRef += 1;
    const { payload } = this.#parts.request;
    const history = { ...Object(payload["history"]), ...topic.position, optional: true };
    const join = [topic.ref, topic.ref, topic.name, EVENT.join, { ...payload, history }];
    this.#parts.receive(JSON.stringify(join));
  }

  #joined(topic: Topic, message: SentMessage, number: number): string {
    const reply = JSON.parse(message.payload) as JoinReply;
    if (reply.status !== "ok") {
      this.#refused(topic, reply);
      return this.#eventOf(message, number, "");
    }
    const history = historyOf(reply.response);
    const isRecovered = history?.recovered ?? !topic.mayMiss;
    topic.tries = 0;
    topic.mayMiss = true;
    this.#set(topic, history);
    return this.#eventOf(message, number, `,"recovered":${isRecovered}`);
  }

  #refused(topic: Topic, { response }: JoinReply): void {
    if (!TEMPORARY.includes(response?.reason)) return;
    const { retry_after: waitMs } = response ?? {};
    this.#rejoin(topic, typeof waitMs === "number" ? waitMs : 0);
  }

  #rejoin(topic: Topic, leastMs = 0): void {
    const waitMs = REJOIN_AFTER_MS[topic.tries] ?? MAX_REJOIN_AFTER_MS;
    topic.tries += 1;
    clearTimeout(topic.timer);
    topic.timer = setTimeout(() => this.#join(topic), Math.max(waitMs, leastMs));
  }

  // -- events ------------------------------------------------------------------------------------

  #set(topic: Topic, position: Position | undefined): void {
    topic.position = position;
    this.#rest = undefined;
  }

  #idOf(number: number): string {
    if (this.#rest === undefined) {
      const positions = [...this.#topics.values()].map(({ position }) => position);
      this.#rest = `${this.#hash}:${positionsText(positions)}`;
    }
    return this.#parts.idOf(number, this.#rest);
  }

  #eventOf(message: SentMessage, number: number, more: string): string {
    const { topic, event, payload, isBytes } = message;
    const key = isBytes && event !== EVENT.reply ? "bytes" : "payload";
    const head = `{"topic":${JSON.stringify(topic)},"event":${JSON.stringify(event)}`;
    return eventOf(this.#idOf(number), `${head},"${key}":${payload}${more}}`);
  }
}

/** Reports whether a message belongs to a join: a reply has its ref, a push its join_ref, and a broadcast neither. */
function isOfJoin(message: SentMessage, { ref }: Topic): boolean {
  if (message.event === EVENT.reply) return message.ref === ref;
  return message.joinRef === null || message.joinRef === ref;
}

function historyOf(
  response: JoinReply["response"],
): (Position & { readonly recovered: boolean }) | undefined {
  const history: unknown = response?.history;
  const { epoch, offset, recovered } = Object(history) as Record<string, unknown>;
  if (typeof epoch !== "string" || typeof offset !== "string") return undefined;
  return typeof recovered === "boolean" ? { epoch, offset, recovered } : undefined;
}
