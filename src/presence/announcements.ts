/**
 * Announces joins and leaves to this thread's subscribers: `presence_diff`, then `handleMetas`.
 *
 *   diff --no fetch or a synchronous one, and no earlier diff of the topic waits--> broadcast
 *     |
 *     +--fetch pending--> waits for the earlier diffs --> broadcast
 *     +--MOST_WAITING diffs already wait--> merged into one --queue empty--> fetch
 *     +--MOST_IN_A_TURN diffs announced in this turn of the event loop--> merged --next turn-->
 *
 * Diffs of a topic are sent in the order in which they arose. Other topics do not wait for them.
 *
 * Changes made by a channel callback are announced after the callback has returned and its reply
 * was sent, so a client sees the reply before the diff, as with Phoenix. The exception: if the
 * callback calls `list` before it returns, the diff is sent before the list. All other changes are
 * announced immediately.
 *
 * Runs on: shard; one for each presence.
 * Order:   the state has changed before a diff of the change is announced.
 * Full:    at most `MOST_WAITING` diffs of a topic wait for their fetches, and at most
 *          `MOST_IN_A_TURN` are sent separately in one turn; later ones are merged. If a thousand
 *          users leave at once, subscribers do not receive a thousand messages.
 * Slow:    if a fetch fails or exceeds its time limit, the diff is sent without the data that
 *          `fetch` would have added (`fetching`).
 */

import { telemetry } from "../telemetry.ts";
import type { PresenceDiff, TrackedMeta } from "./definition.ts";
import { emptyRecord, presenceDiffOf, TopicDiff, type Diff } from "./diff.ts";
import type { Fetching } from "./fetching.ts";
import type { ShardPresence } from "./shard-presence.ts";

/** A diff whose fetch is pending, or that waits for earlier diffs. */
interface Waiting {
  readonly diff: TopicDiff;
  /** Undefined while the fetch is pending. */
  fetched: PresenceDiff | undefined;
}

/** The diffs of a topic that wait for fetches. */
interface TopicQueue {
  readonly waiting: Waiting[];
  /** Later diffs, merged into one because MOST_WAITING wait. */
  merged: TopicDiff | undefined;
}

/** Announcements of a topic in this turn of the event loop. */
interface TopicTurn {
  count: number;
  /** Later diffs, merged into one because there were MOST_IN_A_TURN. */
  merged: TopicDiff | undefined;
}

/** The event that clients get. */
const PRESENCE_DIFF = "presence_diff";
const MOST_WAITING = 32;
const MOST_IN_A_TURN = 32;

/** The announcements of one presence. */
export class Announcements {
  readonly #presence: ShardPresence;
  readonly #fetching: Fetching;
  readonly #handling: MetasHandling | undefined;
  /** Diffs to be announced after the current callback has returned. */
  #due: Diff[] = [];
  #turn = new Map<string, TopicTurn>();
  readonly #queues = new Map<string, TopicQueue>();
  #isClosed = false;

  constructor(presence: ShardPresence, fetching: Fetching) {
    this.#presence = presence;
    this.#fetching = fetching;
    this.#handling = presence.callbacks.handleMetas && new MetasHandling(presence);
  }

  /** Announces a diff topic by topic, after the diffs that are due. */
  announce(diff: Diff): void {
    if (this.#due.length > 0) this.announceDue();
    for (const [topic, one] of diff.topics) if (!one.isEmpty) this.#announce(topic, one);
  }

  /** Announces a diff after the current callback has returned. */
  announceSoon(diff: Diff): void {
    this.#due.push(diff);
    if (this.#due.length === 1) queueMicrotask(() => this.announceDue());
  }

  /** Announces the diffs that are due. */
  announceDue(): void {
    const due = this.#due;
    this.#due = [];
    for (const diff of due) this.announce(diff);
  }

  /** Continues after main has ended what a callback had called (`shard/forced-end`). */
  recover(): void {
    this.announceDue();
    this.#handling?.recover();
  }

  /** Stops announcing. */
  close(): void {
    this.#isClosed = true;
    this.#due = [];
    this.#turn.clear();
    this.#queues.clear();
  }

  // -- turn of the event loop --------------------------------------------------------------------

  #announce(topic: string, diff: TopicDiff): void {
    if (this.#isClosed) return;
    // Without subscribers, a diff can be skipped, because later subscribers list the current state.
    // It cannot be skipped if earlier diffs still wait: a client that subscribes in the meantime
    // would receive those, but not this one.
    const turn = this.#turn.get(topic);
    const isAwaited = turn?.merged !== undefined || this.#queues.has(topic);
    if (!isAwaited && !this.#handling && this.#presence.pubsub.count(topic) === 0) return;
    if (turn && turn.count >= MOST_IN_A_TURN) {
      turn.merged ??= new TopicDiff();
      turn.merged.add(diff);
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
    this.#turn.set(topic, { count: 1, merged: undefined });
  }

  #endTurn(): void {
    const turn = this.#turn;
    this.#turn = new Map();
    for (const [topic, { merged }] of turn) {
      if (merged && !merged.isEmpty) this.#announce(topic, merged);
    }
  }

  // -- fetch -------------------------------------------------------------------------------------

  #fetchThenPublish(topic: string, diff: TopicDiff): void {
    const queue = this.#queues.get(topic);
    if (queue && (queue.merged || queue.waiting.length >= MOST_WAITING)) {
      queue.merged ??= new TopicDiff();
      queue.merged.add(diff);
      return;
    }
    const fetched = this.#fetching.fetchDiff(topic, diff);
    if (queue) this.#enqueue(topic, queue, diff, fetched);
    else if (!(fetched instanceof Promise)) this.#publish(topic, diff, fetched);
    else {
      const first: TopicQueue = { waiting: [], merged: undefined };
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
    const isPending = fetched instanceof Promise;
    const waiting: Waiting = { diff, fetched: isPending ? undefined : fetched };
    queue.waiting.push(waiting);
    if (isPending) void this.#publishWhenFetched(topic, queue, waiting, fetched);
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
    if (queue.merged && !queue.merged.isEmpty) this.#fetchThenPublish(topic, queue.merged);
  }

  // -- publication -------------------------------------------------------------------------------

  #publish(topic: string, diff: TopicDiff, fetched: PresenceDiff): void {
    const { name, callbacks } = this.#presence;
    if (callbacks.dispatch) this.#dispatch(topic, fetched);
    else this.#broadcast(topic, diff, fetched);
    if (telemetry.presence_diff.hasSubscribers) {
      const [joins, leaves] = [diff.joins.size, diff.leaves.size];
      telemetry.presence_diff.publish({ presence: name, topic, joins, leaves });
    }
    this.#handling?.handle(topic, fetched);
  }

  #broadcast(topic: string, diff: TopicDiff, fetched: PresenceDiff): void {
    const { pubsub } = this.#presence;
    if (pubsub.count(topic) === 0) return;
    try {
      pubsub.broadcast(topic, PRESENCE_DIFF, fetched, "thread");
    } catch (error) {
      this.#fetching.failed(topic, error);
      pubsub.broadcast(topic, PRESENCE_DIFF, presenceDiffOf(diff), "thread");
    }
  }

  #dispatch(topic: string, diff: PresenceDiff): void {
    const { name, callbacks, context, pubsub } = this.#presence;
    const send = (event: string, payload: object): void =>
      pubsub.broadcast(topic, event, payload, "thread");
    try {
      callbacks.dispatch?.(topic, diff, send, context);
    } catch (error) {
      pubsub.member.logger.log("presenceDispatchFailed", { presence: name, topic, err: error });
    }
  }
}

type Metas = Record<string, readonly TrackedMeta[]>;

/**
 * Calls `handleMetas` with each diff in turn, and with the presences after that diff.
 *
 * By the time a slow `fetch` has returned, the state may have changed further. So the presences are
 * tracked separately here, but only if the definition has the callback.
 */
class MetasHandling {
  readonly #presence: ShardPresence;
  readonly #topics = new Map<string, Metas>();
  /** Diffs that it has not been called with. The callback may track, which adds more. */
  readonly #waiting: { readonly topic: string; readonly diff: PresenceDiff }[] = [];
  #isRunning = false;
  #state: { readonly value: unknown } | undefined;

  constructor(presence: ShardPresence) {
    this.#presence = presence;
  }

  /** Calls the callback with a diff: now, or when it has returned if it is running. */
  handle(topic: string, diff: PresenceDiff): void {
    this.#waiting.push({ topic, diff });
    if (!this.#isRunning) this.#handleAll();
  }

  /** Goes on behind a callback that main has ended. */
  recover(): void {
    if (this.#isRunning) this.#handleAll();
  }

  #handleAll(): void {
    this.#isRunning = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      this.#handleOne(next.topic, next.diff);
    }
    this.#isRunning = false;
  }

  #handleOne(topic: string, diff: PresenceDiff): void {
    const { name, callbacks, context, pubsub } = this.#presence;
    try {
      // In here, because `fetch` of user code made the diff.
      const metas = this.#add(topic, diff);
      this.#state ??= { value: callbacks.init?.(context) };
      const value = callbacks.handleMetas?.(topic, diff, metas, this.#state.value);
      this.#state = { value };
    } catch (error) {
      pubsub.member.logger.log("presenceMetasFailed", { presence: name, topic, err: error });
    }
  }

  /** Applies a diff. @returns the topic's presences after it */
  #add(topic: string, { joins, leaves }: PresenceDiff): Metas {
    const metas = this.#topics.get(topic) ?? emptyRecord<readonly TrackedMeta[]>();
    for (const [key, { metas: joined }] of Object.entries(joins)) {
      metas[key] = [...(metas[key] ?? []), ...joined];
    }
    for (const [key, { metas: left }] of Object.entries(leaves)) {
      const gone = new Set(left.map(({ phx_ref: ref }) => ref));
      const rest = (metas[key] ?? []).filter(({ phx_ref: ref }) => !gone.has(ref));
      if (rest.length > 0) metas[key] = rest;
      else delete metas[key];
    }
    if (Object.keys(metas).length > 0) this.#topics.set(topic, metas);
    else this.#topics.delete(topic);
    return metas;
  }
}
