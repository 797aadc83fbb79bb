/**
 * Tells this thread's subscribers who came and who went: `presence_diff`, then `handleMetas`.
 *
 *   diff --no fetch, or it gave it at once, and nothing of the topic waits--> broadcast
 *     |
 *     +--fetch is at work--> waits for its turn --> broadcast
 *     +--as many wait as may--> gathered into one --none waits--> fetch
 *     +--as many were told in this turn of the event loop as may be--> gathered into one --next turn-->
 *
 * Diffs of a topic go out in the order in which they arose; those of other topics do not wait.
 *
 * What a callback of a channel does is announced when it has returned, and what it gave was
 * answered: a client sees the reply before the diff, as Phoenix has it. Unless it lists before: then
 * the diff comes before the list. All else is announced at once.
 *
 * Runs on: shard; one for each presence.
 * Order:   the state has changed before a diff of it is announced.
 * Full:    `MOST_WAITING` diffs of a topic wait for their fetches, and `MOST_IN_A_TURN` go out by
 *          themselves: where a thousand leave at once, nobody is told a thousand times.
 * Slow:    a fetch that fails, or takes too long, costs the diff what it would have added (`fetching`).
 */

import type { Logger } from "../log/logger.ts";
import { telemetry } from "../telemetry.ts";
import type { AnyCallbacks, PresenceContext, PresenceDiff } from "./definition.ts";
import { TopicDiff, type Diff } from "./diff.ts";
import type { Fetching } from "./fetching.ts";
import { presenceDiffOf } from "./grouping.ts";
import { MetasHandling } from "./metas-handling.ts";
import type { PresenceWire } from "./wire.ts";

/** What announcements are made of. */
export interface AnnouncementsParts {
  readonly name: string;
  readonly callbacks: AnyCallbacks;
  readonly context: PresenceContext;
  readonly fetching: Fetching;
  readonly wire: Pick<PresenceWire, "broadcast" | "count">;
  readonly logger: Logger;
}

/** A diff whose fetch is at work, or whose turn has not come. */
interface Waiting {
  readonly diff: TopicDiff;
  /** Undefined while the fetch is at work. */
  fetched: PresenceDiff | undefined;
}

/** What of a topic waits for fetches. */
interface TopicQueue {
  readonly waiting: Waiting[];
  /** What came when as many waited as may. */
  gathered: TopicDiff | undefined;
}

/** What of a topic was announced in this turn of the event loop. */
interface TopicTurn {
  count: number;
  /** What came beyond. */
  gathered: TopicDiff | undefined;
}

/** Name of the event by which clients are told. */
const PRESENCE_DIFF = "presence_diff";
const MOST_WAITING = 32;
const MOST_IN_A_TURN = 32;

/** The announcements of one presence. */
export class Announcements {
  readonly #parts: AnnouncementsParts;
  readonly #handling: MetasHandling | undefined;
  /** What is announced when the callback has returned. */
  #due: Diff[] = [];
  #turn = new Map<string, TopicTurn>();
  readonly #queues = new Map<string, TopicQueue>();
  #isClosed = false;

  constructor(parts: AnnouncementsParts) {
    this.#parts = parts;
    this.#handling = parts.callbacks.handleMetas && new MetasHandling(parts);
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

  /** Announces nothing any more. */
  close(): void {
    this.#isClosed = true;
    this.#due = [];
    this.#turn.clear();
    this.#queues.clear();
  }

  #announce(topic: string, diff: TopicDiff): void {
    if (this.#isClosed) return;
    // Who subscribes later lists what there is. Behind diffs that wait it must come all the same:
    // they reach who subscribes meanwhile, who would not hear that they are no longer so.
    const turn = this.#turn.get(topic);
    const isAwaited = turn?.gathered !== undefined || this.#queues.has(topic);
    if (!isAwaited && !this.#handling && this.#parts.wire.count(topic) === 0) return;
    if (turn && turn.count >= MOST_IN_A_TURN) {
      turn.gathered ??= new TopicDiff();
      turn.gathered.add(diff);
      return;
    }
    this.#countInTurn(topic, turn);
    this.#fetchThenPublish(topic, diff);
  }

  #countInTurn(topic: string, turn: TopicTurn | undefined): void {
    if (turn) {
      turn.count += 1;
      return;
    }
    if (this.#turn.size === 0) setImmediate(() => this.#endTurn());
    this.#turn.set(topic, { count: 1, gathered: undefined });
  }

  #endTurn(): void {
    const turn = this.#turn;
    this.#turn = new Map();
    for (const [topic, { gathered }] of turn) {
      if (gathered && !gathered.isEmpty) this.#announce(topic, gathered);
    }
  }

  #fetchThenPublish(topic: string, diff: TopicDiff): void {
    const queue = this.#queues.get(topic);
    if (queue && (queue.gathered || queue.waiting.length >= MOST_WAITING)) {
      queue.gathered ??= new TopicDiff();
      queue.gathered.add(diff);
      return;
    }
    const fetched = this.#parts.fetching.fetchDiff(topic, diff);
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
    if (queue.gathered && !queue.gathered.isEmpty) this.#fetchThenPublish(topic, queue.gathered);
  }

  #publish(topic: string, diff: TopicDiff, fetched: PresenceDiff): void {
    const { name, callbacks } = this.#parts;
    if (callbacks.dispatch) this.#dispatch(topic, fetched);
    else this.#broadcast(topic, diff, fetched);
    if (telemetry.presence_diff.hasSubscribers) {
      const [joins, leaves] = [diff.joins.size, diff.leaves.size];
      telemetry.presence_diff.publish({ presence: name, topic, joins, leaves });
    }
    this.#handling?.tell(topic, fetched);
  }

  #broadcast(topic: string, diff: TopicDiff, fetched: PresenceDiff): void {
    const { wire, fetching } = this.#parts;
    if (wire.count(topic) === 0) return;
    try {
      wire.broadcast(topic, PRESENCE_DIFF, fetched, "thread");
    } catch (error) {
      fetching.failed(topic, error);
      wire.broadcast(topic, PRESENCE_DIFF, presenceDiffOf(diff), "thread");
    }
  }

  #dispatch(topic: string, diff: PresenceDiff): void {
    const { name, callbacks, context, wire, logger } = this.#parts;
    try {
      callbacks.dispatch?.(
        topic,
        diff,
        (event, payload) => wire.broadcast(topic, event, payload, "thread"),
        context,
      );
    } catch (error) {
      logger.log("presenceDispatchFailed", { presence: name, topic, err: error });
    }
  }
}
