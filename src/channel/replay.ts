/**
 * Brings one channel that asked for a history level with its topic.
 *
 *   asking --answer--> checking --forms known--> sending --last answer--> level
 *                                                 ^   |
 *                          room, or handled ------+   +-- no room, or a handler is busy --> waiting
 *
 * The channel's shard is subscribed before it asks. The answers come in the ring that carries the live
 * broadcasts: when the answer that reaches the head has been sent, the next live broadcast is the one
 * that follows, and the channel enters the lane for live ones within the same call.
 *
 * What finds no room is dropped and asked for again, so a replay holds no messages, however long its
 * client takes. It sends only while the connection has room, so its client never counts as slow.
 *
 * Not every client can get every message: bytes have no form on version 1, and a user's serializer may
 * throw. The reply to the join must say so, so for such clients all messages are looked at before. A message on
 * which a handler has failed is left out, too: the client would rejoin and get it again without end.
 *
 * Runs on: the shard that owns the connection.
 * Full:    if messages are trimmed before their turn comes, the channel ends with phx_error.
 */

import { makeError } from "../errors.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { jsonV1 } from "../protocol/json-v1.ts";
import { Envelope } from "../pubsub/envelope.ts";
import { Trailer, type Answer, type AnswerHead } from "../pubsub/history-records.ts";
import type { Keeping, Pull } from "../pubsub/keeping.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { TopicEntry } from "../pubsub/registry.ts";
import type { RoomWaiter } from "./connection.ts";
import type { FailedMessages } from "./failed-messages.ts";
import type { Fastlane } from "./fastlane.ts";
import type { Asked } from "./history-option.ts";
import { TRACKS, type Lane, type Subscriber, type SubscriberHistory, type Tracks } from "./lane.ts";
import type { OpenJoin } from "./shard-channels.ts";

/** Size of an answer (bytes). */
const ANSWER_BYTES = 32_768;
/** Size of an answer for a channel that intercepts, and may drop most of it (bytes). */
const SMALL_ANSWER_BYTES = 4_096;

/** Where the stream of a channel begins. */
export interface HistoryStart {
  readonly epoch: string;
  /** Position after which the stream goes on. */
  readonly position: number;
  readonly recovered: boolean;
  /** Number of kept messages that follow at once. */
  readonly count: number;
}

/** The history of a channel, as its replay knows it. */
export interface ReplayedHistory extends SubscriberHistory {
  readonly asked: Asked;
  /** Selects the lane of the channel. Written by the replay. */
  tracks: Tracks;
  /** Answers the join. @returns false if the channel has ended meanwhile */
  opened(start: HistoryStart): boolean;
  /** Fails the join, because the keeper did not answer in time. */
  failed(error: Error): void;
  /** Called when the channel is level, and the replay over. */
  isLive(): void;
}

/** What a replay needs of its shard. */
export interface ReplayParts {
  readonly pubsub: PubSub<Lane>;
  readonly keeping: Keeping;
  readonly fastlane: Fastlane;
  readonly counters: Counters;
  /** Joins that have not been answered. */
  readonly openJoins: Set<OpenJoin>;
  readonly failedMessages: FailedMessages;
  readonly joinTimeoutMs: number;
}

/** The replay of one channel. */
export class Replay implements RoomWaiter, OpenJoin {
  readonly startedMs = performance.now();
  readonly joinTimeoutMs: number;
  readonly #channel: Subscriber;
  readonly #history: ReplayedHistory;
  readonly #entry: TopicEntry<Lane>;
  readonly #parts: ReplayParts;
  readonly #envelope = new Envelope(true);
  readonly #trailer = new Trailer();
  readonly #wake = (): void => this.#ask();
  #pull: Pull | undefined = undefined;
  #isOpen = false;
  /** Whether an answer is awaited after the join was answered. */
  #isAsking = false;
  #isOver = false;
  /** Whether a handler is waited for. */
  #isWaiting = false;
  #epoch = "";
  /** Position of the last message that was sent, or looked at. */
  #after = 0;
  /** Where the stream begins, while further messages are looked at. */
  #start: AnswerHead | undefined = undefined;
  /** Number of messages without a form for the client. */
  #formless = 0;

  constructor(
    channel: Subscriber,
    history: ReplayedHistory,
    entry: TopicEntry<Lane>,
    parts: ReplayParts,
  ) {
    this.#channel = channel;
    this.#history = history;
    this.#entry = entry;
    this.#parts = parts;
    this.joinTimeoutMs = parts.joinTimeoutMs;
  }

  /** Asks for what the client wants. */
  start(): void {
    this.#parts.openJoins.add(this);
    const { epoch, after, last } = this.#history.asked;
    const { topic, hash } = this.#entry;
    const isLive = after === undefined && last === undefined;
    const maxBytes = isLive ? 0 : this.#answerBytes();
    const spec = { topic, hash, epoch, after, last, whole: true, maxBytes };
    this.#pull = this.#parts.keeping.pull(spec, (answer) => {
      this.#corked(() => this.#onFirst(answer));
    });
  }

  /** Stops. Nothing more is sent. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.openJoins.delete(this);
    this.#entry.kept?.waiters.delete(this.#wake);
    if (this.#pull) this.#parts.keeping.cancel(this.#pull);
    this.#pull = undefined;
    this.#channel.owner.connection.stopAwaiting(this);
  }

  timedOut(): void {
    const message = `a join with a history must be answered within ${this.joinTimeoutMs} (ms), got no answer of its keeper`;
    this.end();
    this.#history.failed(makeError("SIM_ERR_JOIN_TIMEOUT", message));
  }

  /** Continues when there is room in the connection again. */
  resume(): void {
    if (!this.#isOver) this.#ask();
  }

  /** Continues when no message of the channel is being handled any more. */
  handled(): void {
    if (this.#isOver || !this.#isWaiting) return;
    this.#isWaiting = false;
    this.#ask();
  }

  // -- before the join is answered ---------------------------------------------------------------

  #onFirst(answer: Answer): void {
    const { head } = answer;
    this.#epoch = head.epoch;
    this.#start = head;
    this.#after = head.after;
    if (this.#needsLook()) this.#look(answer);
    else this.#open(answer);
  }

  #needsLook(): boolean {
    const { serializer } = this.#channel.owner;
    return serializer === jsonV1 || serializer.broadcast !== undefined;
  }

  /** Counts the messages that have no form for the client. */
  #look(answer: Answer): void {
    const { fastlane } = this.#parts;
    while (answer.next()) {
      answer.read(this.#envelope, this.#trailer);
      this.#after = answer.position;
      if (!fastlane.hasForm(this.#channel, this.#entry, this.#envelope)) this.#formless += 1;
    }
    if (this.#isOver) return;
    const start = this.#start as AnswerHead;
    const { isLast, recovered } = answer.head;
    if (!isLast) {
      this.#pull = this.#parts.keeping.pull(this.#spec(), (next) => this.#look(next));
      return;
    }
    this.#after = start.after;
    // What was looked at is gone already: the stream begins where it is now.
    const isLost = !recovered && answer.head !== start;
    if (isLost) {
      this.#start = { ...answer.head, recovered: false, count: 0 };
      this.#after = answer.head.after;
      this.#formless = 0;
    }
    const isWhole = answer.head === start;
    answer.rewind();
    if (isWhole) this.#open(answer);
    else if (this.#opened() && !this.#isOver) this.#ask();
  }

  #open(answer: Answer): void {
    const isLevel = answer.head.isLast && answer.head.after === answer.head.head;
    // Without a replay, the channel enters its lane at once.
    if (isLevel && this.#isEntryLevel(answer.head)) this.#history.tracks = TRACKS.live;
    if (!this.#opened() || this.#isOver) return;
    if (this.#history.tracks === TRACKS.live) this.#done();
    else this.#send(answer);
  }

  /** Answers the join. @returns false if the channel has ended meanwhile */
  #opened(): boolean {
    this.#isOpen = true;
    this.#parts.openJoins.delete(this);
    const { epoch, after, recovered, count } = this.#start as AnswerHead;
    this.#start = undefined;
    const left = this.#formless + [...this.#failed()].filter((at) => at > after).length;
    const isRecovered = recovered && left === 0;
    const { counters } = this.#parts;
    counters.add(isRecovered ? COUNTER.historyRecovered : COUNTER.historyNotRecovered);
    return this.#history.opened({
      epoch,
      position: after,
      recovered: isRecovered,
      count: count - left,
    });
  }

  /** Positions of messages on which a handler has failed. */
  #failed(): ReadonlySet<number> {
    return this.#parts.failedMessages.of(this.#channel.owner, this.#entry.topic, this.#epoch);
  }

  // -- afterwards --------------------------------------------------------------------------------

  #ask(): void {
    if (this.#isOver || this.#isAsking || !this.#isOpen) return;
    this.#isAsking = true;
    this.#pull = this.#parts.keeping.pull(this.#spec(), (answer) => {
      this.#isAsking = false;
      if (answer.head.recovered) this.#corked(() => this.#send(answer));
      else this.#channel.missed();
    });
  }

  /** Sends what an answer brings in one system call, instead of one for each message. */
  #corked(work: () => void): void {
    this.#channel.owner.connection.cork(work);
  }

  #spec(): {
    topic: string;
    hash: number;
    epoch: string;
    after: number;
    maxBytes: number;
  } {
    const { topic, hash } = this.#entry;
    return { topic, hash, epoch: this.#epoch, after: this.#after, maxBytes: this.#answerBytes() };
  }

  #answerBytes(): number {
    const { intercept } = this.#channel.definition;
    return intercept.size > 0 ? SMALL_ANSWER_BYTES : ANSWER_BYTES;
  }

  #send(answer: Answer): void {
    const { fastlane, counters, keeping } = this.#parts;
    const channel = this.#channel;
    const failed = this.#failed();
    while (answer.next()) {
      if (this.#history.isPending) {
        this.#isWaiting = true;
        return;
      }
      const { connection } = channel.owner;
      if (!connection.hasRoom) {
        connection.awaitRoom(this);
        return;
      }
      answer.read(this.#envelope, this.#trailer);
      this.#after = answer.position;
      counters.add(COUNTER.historyReplayed);
      const isExcluded = keeping.excludedBy(this.#trailer) === channel;
      const isSent =
        !failed.has(answer.position) &&
        fastlane.sendKept(channel, this.#entry, this.#envelope, isExcluded);
      if (!isSent) {
        counters.add(COUNTER.historySkipped);
        fastlane.sendMark(channel, this.#entry, answer.position);
      }
      if (this.#isOver) return;
    }
    if (answer.head.isLast) this.#enter(answer.head);
    else this.#ask();
  }

  /** Enters the lane for live broadcasts. */
  #enter(head: AnswerHead): void {
    const { pubsub, fastlane } = this.#parts;
    const { kept } = this.#entry;
    if (!kept) return;
    if (!this.#isEntryLevel(head)) {
      kept.waiters.add(this.#wake);
      pubsub.kept?.fetchAgain(this.#entry);
      return;
    }
    this.#history.tracks = TRACKS.live;
    fastlane.leave(this.#entry, this.#channel);
    fastlane.join(this.#entry, this.#channel);
    this.#done();
  }

  #done(): void {
    this.#isOver = true;
    this.#history.isLive();
  }

  /**
   * Reports whether the shard has delivered everything up to the head that an answer reached. If it has
   * lost records, they are fetched for all its channels, and this one must not get them twice.
   */
  #isEntryLevel(head: AnswerHead): boolean {
    const { kept } = this.#entry;
    if (!kept || kept.fetching) return false;
    if (kept.delivered === 0) {
      kept.delivered = head.head;
      kept.epoch = head.epoch;
    }
    return kept.delivered === head.head;
  }
}
