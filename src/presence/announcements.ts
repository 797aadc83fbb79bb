/**
 * Tells this thread's subscribers who came and who went: `presence_diff`, then `handleMetas`.
 *
 *   diff --no fetch--> broadcast
 *     |
 *     +--fetch gave it at once, and nothing of the topic waits--> broadcast
 *     +--fetch is at work--> waits for its turn --> broadcast
 *     +--as many are at work as may be--> gathered into one --all are done--> fetch
 *
 * Diffs of a topic go out in the order in which they arose; those of other topics do not wait.
 *
 * What a callback of a channel does is announced when it has returned, and what it gave was
 * answered: a client sees the reply before the diff, as Phoenix has it. Unless it lists before: then
 * the diff comes before the list. All else is announced at once.
 *
 * Runs on: shard; one for each presence.
 * Order:   the state has changed before a diff of it is announced. `handleMetas` hears of it after.
 * Full:    `MOST_WAITING` diffs of a topic wait for their fetches; what comes meanwhile is one diff.
 * Slow:    a fetch beyond `fetchTimeoutMs`, and one that fails, costs the diff what it would have
 *          added: it goes out as it was tracked.
 */

import { makeError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { telemetry } from "../telemetry.ts";
import type { AnyCallbacks, PresenceContext, PresenceDiff, Presences } from "./definition.ts";
import { TopicDiff, type Diff } from "./diff.ts";
import { presenceDiffOf, presencesOf, problemOf } from "./grouping.ts";
import { MetasByTopic } from "./metas-by-topic.ts";
import type { Row } from "./replica.ts";
import type { PresenceWire } from "./wire.ts";

/** What announcements are made of. */
export interface AnnouncementsParts {
  readonly name: string;
  readonly callbacks: AnyCallbacks;
  readonly context: PresenceContext;
  readonly fetchTimeoutMs: number;
  readonly wire: Pick<PresenceWire, "broadcast" | "count">;
  readonly logger: Logger;
}

/** A diff whose fetch is at work, or whose turn has not come. */
interface Waiting {
  readonly diff: TopicDiff;
  /** Undefined while the fetch is at work. */
  fetched: PresenceDiff | undefined;
}

/** What of a topic waits. */
interface TopicQueue {
  readonly waiting: Waiting[];
  /** What came when as many waited as may. */
  gathered: TopicDiff | undefined;
}

/** Name of the event by which clients are told. */
const PRESENCE_DIFF = "presence_diff";
const MOST_WAITING = 32;

/** The announcements of one presence. */
export class Announcements {
  readonly #parts: AnnouncementsParts;
  readonly #queues = new Map<string, TopicQueue>();
  /** What is announced when the callback has returned. */
  #due: Diff[] = [];
  readonly #metas = new MetasByTopic();
  /** Diffs that `handleMetas` has not been told: it may track, and so make others. */
  readonly #untold: { readonly topic: string; readonly diff: PresenceDiff }[] = [];
  #isTelling = false;
  #state: { readonly value: unknown } | undefined;
  #isClosed = false;

  constructor(parts: AnnouncementsParts) {
    this.#parts = parts;
  }

  /** Announces who came and went, topic by topic, and before it what is due. */
  announce(diff: Diff): void {
    if (this.#due.length > 0) this.announceDue();
    for (const [topic, one] of diff.topics) if (!one.isEmpty) this.#announce(topic, one);
  }

  /** Announces who came and went when the callback on the stack has returned. */
  announceSoon(diff: Diff): void {
    this.#due.push(diff);
    if (this.#due.length === 1) queueMicrotask(() => this.announceDue());
  }

  /** Announces what is due. */
  announceDue(): void {
    const due = this.#due;
    this.#due = [];
    for (const diff of due) this.announce(diff);
  }

  /** Has a fetch add to presences what it adds. @throws what it throws; SIM_ERR_BAD_RESULT */
  fetch(topic: string, presences: Presences): Presences | Promise<Presences> {
    const { callbacks, context } = this.#parts;
    if (!callbacks.fetch) return presences;
    const fetched = callbacks.fetch(topic, presences, context);
    if (!isThenable(fetched)) return this.#checked(fetched);
    return this.#settled(fetched);
  }

  /** Announces nothing any more. */
  close(): void {
    this.#isClosed = true;
    this.#due = [];
    this.#queues.clear();
  }

  #announce(topic: string, diff: TopicDiff): void {
    const { callbacks, wire } = this.#parts;
    const queue = this.#queues.get(topic);
    // Who subscribes later lists what there is. Behind diffs that wait it must come all the same:
    // they reach who subscribes meanwhile, who would not hear that they are no longer so.
    if (!queue && !callbacks.handleMetas && wire.count(topic) === 0) return;
    if (queue && (queue.gathered || queue.waiting.length >= MOST_WAITING)) {
      queue.gathered ??= new TopicDiff();
      queue.gathered.add(diff);
      return;
    }
    const fetched = this.#fetchDiff(topic, diff);
    if (queue) this.#enqueue(topic, queue, diff, fetched);
    else if (!(fetched instanceof Promise)) this.#publish(topic, diff, fetched);
    else {
      const first: TopicQueue = { waiting: [], gathered: undefined };
      this.#queues.set(topic, first);
      this.#enqueue(topic, first, diff, fetched);
    }
  }

  #enqueue(
    topic: string,
    queue: TopicQueue,
    diff: TopicDiff,
    fetched: PresenceDiff | Promise<PresenceDiff>,
  ): void {
    const isAtWork = fetched instanceof Promise;
    const waiting: Waiting = { diff, fetched: isAtWork ? undefined : fetched };
    queue.waiting.push(waiting);
    if (isAtWork) void this.#publishWhenFetched(topic, queue, waiting, fetched);
  }

  async #publishWhenFetched(
    topic: string,
    queue: TopicQueue,
    waiting: Waiting,
    fetched: Promise<PresenceDiff>,
  ): Promise<void> {
    waiting.fetched = await fetched;
    this.#publishWaiting(topic, queue);
  }

  #publishWaiting(topic: string, queue: TopicQueue): void {
    if (this.#isClosed) return;
    for (let first = queue.waiting[0]; first?.fetched; first = queue.waiting[0]) {
      queue.waiting.shift();
      this.#publish(topic, first.diff, first.fetched);
    }
    if (queue.waiting.length > 0) return;
    this.#queues.delete(topic);
    if (queue.gathered && !queue.gathered.isEmpty) this.#announce(topic, queue.gathered);
  }

  #publish(topic: string, diff: TopicDiff, fetched: PresenceDiff): void {
    const { name, wire } = this.#parts;
    if (wire.count(topic) > 0) {
      try {
        wire.broadcast(topic, PRESENCE_DIFF, fetched, "thread");
      } catch (error) {
        this.#fetchFailed(topic, error);
        wire.broadcast(topic, PRESENCE_DIFF, presenceDiffOf(diff), "thread");
      }
    }
    if (telemetry.presence_diff.hasSubscribers) {
      const [joins, leaves] = [diff.joins.size, diff.leaves.size];
      telemetry.presence_diff.publish({ presence: name, topic, joins, leaves });
    }
    if (!this.#parts.callbacks.handleMetas) return;
    this.#untold.push({ topic, diff: fetched });
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let next = this.#untold.shift(); next; next = this.#untold.shift()) {
      this.#handleMetas(next.topic, next.diff);
    }
    this.#isTelling = false;
  }

  #handleMetas(topic: string, diff: PresenceDiff): void {
    const { name, callbacks, context, logger } = this.#parts;
    const metas = this.#metas.add(topic, diff);
    try {
      this.#state ??= { value: callbacks.init?.(context) };
      const value = callbacks.handleMetas?.(topic, diff, metas, this.#state.value);
      this.#state = { value };
    } catch (error) {
      logger.log("presenceMetasFailed", { presence: name, topic, err: error });
    }
  }

  /** Never fails: what could not be fetched is as it was tracked. */
  #fetchDiff(topic: string, diff: TopicDiff): PresenceDiff | Promise<PresenceDiff> {
    const joins = this.#fetchSide(topic, diff.joins);
    const leaves = this.#fetchSide(topic, diff.leaves);
    if (!(joins instanceof Promise) && !(leaves instanceof Promise)) return { joins, leaves };
    return bothOf(joins, leaves);
  }

  #fetchSide(topic: string, rows: ReadonlySet<Row>): Presences | Promise<Presences> {
    const presences = presencesOf(rows);
    if (rows.size === 0) return presences;
    try {
      const fetched = this.fetch(topic, presences);
      return fetched instanceof Promise ? this.#inTime(topic, rows, fetched) : fetched;
    } catch (error) {
      this.#fetchFailed(topic, error);
      // Anew: the fetch may have changed those that it got.
      return presencesOf(rows);
    }
  }

  async #inTime(
    topic: string,
    rows: ReadonlySet<Row>,
    fetched: Promise<Presences>,
  ): Promise<Presences> {
    const { fetchTimeoutMs } = this.#parts;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const message = `fetch must settle within ${fetchTimeoutMs} (ms)`;
      const timedOut = (): void => reject(makeError("SIM_ERR_HANDLER_TIMEOUT", message));
      timer = setTimeout(timedOut, fetchTimeoutMs).unref();
    });
    try {
      return await Promise.race([fetched, late]);
    } catch (error) {
      this.#fetchFailed(topic, error);
      return presencesOf(rows);
    } finally {
      clearTimeout(timer);
    }
  }

  async #settled(fetched: PromiseLike<Presences>): Promise<Presences> {
    return this.#checked(await fetched);
  }

  #checked(fetched: Presences): Presences {
    const problem = problemOf(fetched);
    if (problem === undefined) return fetched;
    const subject = `fetch of presence ${this.#parts.name} must give`;
    throw makeError("SIM_ERR_BAD_RESULT", `${subject} ${problem}`);
  }

  #fetchFailed(topic: string, error: unknown): void {
    const { name, logger } = this.#parts;
    if (this.#isClosed) return;
    logger.log("presenceFetchFailed", { presence: name, topic, err: error });
    if (!telemetry.presence_fetch_failed.hasSubscribers) return;
    telemetry.presence_fetch_failed.publish({ presence: name, topic, error });
  }
}

async function bothOf(
  joins: Presences | Promise<Presences>,
  leaves: Presences | Promise<Presences>,
): Promise<PresenceDiff> {
  const [joined, left] = await Promise.all([joins, leaves]);
  return { joins: joined, leaves: left };
}

function isThenable(value: unknown): value is PromiseLike<Presences> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
