/**
 * A member's end of its conversation with the keepers: which topics are kept and by whom, broadcasts
 * to keep, and questions with their answers.
 *
 *   pull      waiting --room in the window--> asked --answer--> answered
 *                ^                              |
 *                +--lapped, or the keeper ended-+
 *
 *   publish   sent --settled--> kept, or refused
 *               +--burned, or the keeper ended, or time is up--> rejected
 *
 * Runs on: main, shard, link; one for each.
 * Order:   questions reach a keeper after the broadcasts that this member sent to it before.
 * Full:    only so many pulls are asked at a time that all their answers take half of what may wait for
 *          this member; further ones wait in its memory. Otherwise answers that are asked for again
 *          because they were lapped could lap each other without end. A question that finds no room is
 *          tried again.
 */

import { makeError } from "../errors.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { KIND } from "./envelope.ts";
import { kindAndFlags } from "./exchange-layout.ts";
import { CONTROL_SLOT } from "./exchange.ts";
import {
  Answer,
  ASKED_FLAG,
  packJson,
  unpackJson,
  type Ask,
  type Settled,
  type Trailer,
} from "./history-records.ts";
import type { KeptTopics, TopicHistory } from "./kept-topics.ts";
import type { Member } from "./member.ts";

/** Largest answer, apart from an answer with a single message (bytes). */
const LARGE_ANSWER_BYTES = 65_536;
/** Number of pulls that are asked at a time: at most, and if answers are as large as they may be. */
const MAX_PULLS = 32;
const MIN_PULLS = 4;
/** Time after which a question that found no room is sent again. */
const RETRY_MS = 20;
/** Interval at which publishes that take too long are rejected. */
const LOOK_MS = 500;

const KEEP_TYPE = kindAndFlags(KIND.keep, 0);
const PUBLISH_TYPE = kindAndFlags(KIND.keep, ASKED_FLAG);
const ASK_TYPE = kindAndFlags(KIND.ask, 0);

/** Carries records to keepers. Implemented by the exchange, and without threads by `solo`. */
export interface KeeperLine {
  /** Sends a record to one member, as `Exchange.send` does. */
  send(to: number, slot: number, type: number, record: Uint8Array, length: number): boolean;
  /** Reports whether a record cannot be sent. */
  isTooLarge(length: number): boolean;
}

/** What a pull asks for. */
export interface PullSpec {
  readonly topic: string;
  readonly hash: number;
  /** Without an epoch, `after` belongs to the current one. */
  readonly epoch?: string | undefined;
  readonly after?: number | undefined;
  readonly last?: number | undefined;
  readonly whole?: boolean;
  /** Approximate size of the answer; it contains at least one message. */
  readonly maxBytes: number;
}

/** A question for the messages of a topic. */
export interface Pull {
  readonly spec: PullSpec;
  /** Handles the answer, which is valid during the call only. Called at most once. */
  readonly answered: (answer: Answer) => void;
  /** Numbers under which it was asked. There are several if an answer may have been lost. */
  readonly requests: number[];
  /** Whether it is asked, and not waiting. */
  isAsked: boolean;
  /** Whether it was answered or cancelled. */
  isOver: boolean;
}

/** Where a message was kept. */
export interface KeptAt {
  readonly epoch: string;
  /** Its offset, as decimal digits. */
  readonly offset: string;
}

interface Settling {
  readonly keeper: number;
  readonly slot: number;
  readonly deadlineMs: number;
  readonly settle: (settled: Settled) => void;
  readonly fail: (error: Error) => void;
}

/** Options of a Keeping. `controlTimeoutMs` limits the time for an answer to user code. */
export type KeepingOptions = Pick<
  ResolvedOptions,
  "controlTimeoutMs" | "overflowBytes" | "overflowTotalBytes"
>;

/** How large answers may be, and how many pulls a member may ask at a time. */
export interface AnswerLimits {
  readonly maxAnswerBytes: number;
  readonly maxPulls: number;
}

/** Returns the limits of answers, of which all that are asked for must find room in a keeper's queues. */
export function answerLimitsOf(
  { overflowBytes, overflowTotalBytes }: Omit<KeepingOptions, "controlTimeoutMs">,
  members: number,
): AnswerLimits {
  const roomBytes = Math.min(overflowBytes, overflowTotalBytes / members) / 2;
  const maxAnswerBytes = Math.min(LARGE_ANSWER_BYTES, Math.floor(roomBytes / MIN_PULLS));
  return { maxAnswerBytes, maxPulls: Math.min(MAX_PULLS, Math.floor(roomBytes / maxAnswerBytes)) };
}

/** Returns which keeper keeps the topics of a hash. */
export function keeperOf(keepers: readonly number[], hash: number): number {
  return keepers[(hash >>> 0) % keepers.length] as number;
}

/** The keepers, as one member knows them. */
export class Keeping {
  readonly #member: Member;
  readonly #kept: KeptTopics;
  readonly #line: KeeperLine;
  readonly #timeoutMs: number;
  readonly #maxPulls: number;
  readonly #senders = new Senders();
  readonly #waiting: Pull[] = [];
  /** Pulls that are asked, by each of their numbers. */
  readonly #asked = new Map<number, Pull>();
  #askedCount = 0;
  readonly #settling = new Map<number, Settling>();
  #lastRequest: number;
  #retry: NodeJS.Timeout | undefined = undefined;
  #look: NodeJS.Timeout | undefined = undefined;

  /** @param line - by default, the exchange of the member */
  constructor(
    member: Member,
    kept: KeptTopics,
    options: KeepingOptions,
    line: KeeperLine = member.exchange,
  ) {
    this.#member = member;
    this.#kept = kept;
    this.#timeoutMs = options.controlTimeoutMs;
    this.#maxPulls = answerLimitsOf(options, member.members).maxPulls;
    this.#line = line;
    // A keeper may still hold answers for an earlier thread with this member's number.
    this.#lastRequest = (member.generation & GENERATION_MASK) * REQUESTS_PER_THREAD;
  }

  /** Time limit for an answer to user code. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** Returns the history of a topic, or undefined if it is not kept. */
  find(topic: string): TopicHistory | undefined {
    return this.#kept.find(topic);
  }

  /** Returns the member that keeps the topics of a hash. */
  keeperOf(hash: number): number {
    return keeperOf(this.#member.keepers, hash);
  }

  /** Reports whether a member is a keeper. */
  isKeeper(member: number): boolean {
    return this.#member.keepers.includes(member);
  }

  /** Reports whether a broadcast is too large to be kept: its answer would find no room. */
  isTooLarge(length: number): boolean {
    return this.#line.isTooLarge(length + ANSWER_ROOM_BYTES);
  }

  /** Stops all timers. */
  stop(): void {
    clearTimeout(this.#retry);
    clearInterval(this.#look);
  }

  // -- broadcasts --------------------------------------------------------------------------------

  /** Writes who is excluded from a broadcast. */
  exclude(trailer: Trailer, from: object | undefined): void {
    trailer.channel = from === undefined ? 0 : this.#senders.numberOf(from);
    trailer.member = this.#member.number;
    trailer.generation = this.#member.generation & GENERATION_MASK;
  }

  /** Returns who is excluded from a broadcast, if that is a subscriber of this thread. */
  excludedBy({ channel, member, generation }: Trailer): object | undefined {
    if (channel === 0 || member !== this.#member.number) return undefined;
    if (generation !== (this.#member.generation & GENERATION_MASK)) return undefined;
    return this.#senders.find(channel);
  }

  /**
   * Sends a broadcast to the keeper of its topic.
   *
   * @param record - as drawn in `history-records`
   * @returns false if the keeper has ended. Its successor tells all topics
   */
  keep(hash: number, record: Uint8Array, length: number): boolean {
    const slot = this.#member.index.slotOf(hash);
    return this.#line.send(this.keeperOf(hash), slot, KEEP_TYPE, record, length);
  }

  /** As `keep`, with a note behind the trailer that has an idempotency key, for which nobody waits. */
  keepOnce(hash: number, record: Uint8Array): boolean {
    const slot = this.#member.index.slotOf(hash);
    return this.#line.send(this.keeperOf(hash), slot, PUBLISH_TYPE, record, record.length);
  }

  /** Returns the number for the next publish. */
  nextRequest(): number {
    this.#lastRequest += 1;
    return this.#lastRequest;
  }

  /** Sends a broadcast whose sender waits until it is kept. */
  async publish(
    hash: number,
    request: number,
    record: Uint8Array,
    length: number,
  ): Promise<KeptAt> {
    const keeper = this.keeperOf(hash);
    const slot = this.#member.index.slotOf(hash);
    // First, since without threads the answer comes within the call.
    const settled = this.#settled(request, keeper, slot);
    if (!this.#line.send(keeper, slot, PUBLISH_TYPE, record, length)) this.#unsent(request);
    const { epoch = "", position = 0 } = await settled;
    return { epoch, offset: String(position) };
  }

  /** Removes what is kept of a topic. Rejects with SIM_ERR_NOT_KEPT if the keeper does not answer. */
  async clear(topic: string, hash: number): Promise<void> {
    const keeper = this.keeperOf(hash);
    const request = this.nextRequest();
    const settled = this.#settled(request, keeper, CONTROL_SLOT);
    if (!this.#ask(keeper, { ask: "clear", request, topic })) this.#unsent(request);
    await settled;
  }

  /** Handles a settled publish, clear or probe. */
  onSettled(from: number, bytes: Uint8Array, offset: number, length: number): void {
    const settled = unpackJson(bytes, offset, length) as Settled;
    const waiting = this.#settling.get(settled.request);
    if (waiting?.keeper !== from) return;
    this.#settling.delete(settled.request);
    if (settled.error === undefined) waiting.settle(settled);
    else waiting.fail(makeError("SIM_ERR_NOT_KEPT", settled.error));
  }

  /**
   * Handles a keeper's report of lost records. Publishes that may be among them are asked for: what the
   * keeper had received before the question has been settled when the answer comes.
   */
  onBurned(from: number, isConcerned: (slot: number) => boolean): void {
    const isAny = [...this.#settling.values()].some(
      ({ keeper, slot }) => keeper === from && slot !== CONTROL_SLOT && isConcerned(slot),
    );
    if (!isAny) return;
    const request = this.nextRequest();
    const lost = (): void => {
      this.#failAll(({ keeper, slot }, number) => {
        return keeper === from && slot !== CONTROL_SLOT && number < request;
      }, "a message must reach its keeper, got it lost on the way");
    };
    void this.#settled(request, from, CONTROL_SLOT).then(lost, () => {});
    // If there is no room for the question, the time limit of each publish decides.
    if (!this.#ask(from, { ask: "probe", request })) this.#unsent(request);
  }

  /** Rejects what could not be sent. */
  #unsent(request: number): void {
    this.#settling.get(request)?.fail(noKeeper());
    this.#settling.delete(request);
  }

  async #settled(request: number, keeper: number, slot: number): Promise<Settled> {
    this.#look ??= setInterval(() => this.#lookForLate(), LOOK_MS).unref();
    const deadlineMs = performance.now() + this.#timeoutMs;
    return new Promise((settle, fail) => {
      this.#settling.set(request, { keeper, slot, deadlineMs, settle, fail });
    });
  }

  #lookForLate(): void {
    const nowMs = performance.now();
    const text = `a message must be kept within ${this.#timeoutMs} (ms), got no answer: it may be kept later`;
    this.#failAll(({ deadlineMs }) => nowMs >= deadlineMs, text);
    if (this.#settling.size > 0) return;
    clearInterval(this.#look);
    this.#look = undefined;
  }

  #failAll(isFailed: (waiting: Settling, request: number) => boolean, message: string): void {
    for (const [request, waiting] of this.#settling) {
      if (!isFailed(waiting, request)) continue;
      this.#settling.delete(request);
      waiting.fail(makeError("SIM_ERR_NOT_KEPT", message));
    }
  }

  // -- questions ---------------------------------------------------------------------------------

  /** Asks for messages of a topic. */
  pull(spec: PullSpec, answered: (answer: Answer) => void): Pull {
    const pull: Pull = { spec, answered, requests: [], isAsked: false, isOver: false };
    this.#waiting.push(pull);
    this.#pump();
    return pull;
  }

  /** Cancels a pull: its answer is ignored. */
  cancel(pull: Pull): void {
    if (pull.isOver) return;
    this.#settlePull(pull);
    this.#pump();
  }

  /** Handles the answer to a pull. */
  onAnswer(bytes: Uint8Array, offset: number, length: number): void {
    const answer = new Answer(bytes, offset, length);
    const pull = this.#asked.get(answer.head.request);
    // Another answer to the same pull, which was asked for again, is not wanted any more.
    if (pull === undefined) return;
    this.#settlePull(pull);
    try {
      pull.answered(answer);
    } finally {
      this.#pump();
    }
  }

  #settlePull(pull: Pull): void {
    pull.isOver = true;
    for (const request of pull.requests) this.#asked.delete(request);
    if (pull.isAsked) this.#askedCount -= 1;
    pull.isAsked = false;
  }

  /** Asks again for answers that may have been lost on their way from a keeper. */
  onLapped(from: number, isConcerned: (slot: number) => boolean): void {
    this.#again(({ spec }) => {
      if (this.keeperOf(spec.hash) !== from) return false;
      return isConcerned(this.#member.index.slotOf(spec.hash));
    });
  }

  /** Handles the end of a keeper. Its successor is asked again. */
  keeperEnded(member: number): void {
    this.#failAll(
      ({ keeper }) => keeper === member,
      "a message must be kept by a keeper, got its thread ended",
    );
    this.#again(({ spec }) => this.keeperOf(spec.hash) === member);
  }

  // An answer that was not lost, and arrives after all, is as good as the next one.
  #again(isConcerned: (pull: Pull) => boolean): void {
    for (const pull of new Set(this.#asked.values())) {
      if (!pull.isAsked || !isConcerned(pull)) continue;
      pull.isAsked = false;
      this.#askedCount -= 1;
      this.#waiting.unshift(pull);
    }
    this.#pump();
  }

  #pump(): void {
    while (this.#askedCount < this.#maxPulls) {
      const pull = this.#waiting.shift();
      if (pull === undefined) return;
      if (pull.isOver || this.#send(pull)) continue;
      this.#waiting.unshift(pull);
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined;
        this.#pump();
      }, RETRY_MS).unref();
      return;
    }
  }

  #send(pull: Pull): boolean {
    const { topic, hash, epoch, after, last, whole, maxBytes } = pull.spec;
    const request = this.nextRequest();
    this.#asked.set(request, pull);
    pull.requests.push(request);
    pull.isAsked = true;
    this.#askedCount += 1;
    const ask: Ask = {
      ask: "pull",
      request,
      topic,
      ...(epoch !== undefined && { epoch }),
      ...(after !== undefined && { after }),
      ...(last !== undefined && { last }),
      ...(whole === true && { whole }),
      maxBytes,
    };
    if (this.#ask(this.keeperOf(hash), ask)) return true;
    this.#asked.delete(request);
    pull.requests.pop();
    pull.isAsked = false;
    this.#askedCount -= 1;
    return false;
  }

  #ask(keeper: number, ask: Ask): boolean {
    const record = packJson(ask);
    return this.#line.send(keeper, CONTROL_SLOT, ASK_TYPE, record, record.length);
  }
}

/** What an answer adds to a message, at most. */
const ANSWER_ROOM_BYTES = 1_024;
const GENERATION_MASK = 0xffff;
const REQUESTS_PER_THREAD = 2 ** 36;

function noKeeper(): Error {
  return makeError("SIM_ERR_NOT_KEPT", "a message must be kept by a keeper, got its thread ended");
}

/**
 * Numbers of the subscribers that are left out of broadcasts. A number is never reused. Any code may leave out any object,
 * so none is kept in memory.
 */
class Senders {
  readonly #numbers = new WeakMap<object, number>();
  readonly #senders = new Map<number, WeakRef<object>>();
  readonly #collected = new FinalizationRegistry<number>((number) => this.#senders.delete(number));
  #last = 0;

  numberOf(sender: object): number {
    const known = this.#numbers.get(sender);
    if (known !== undefined) return known;
    this.#last += 1;
    this.#numbers.set(sender, this.#last);
    this.#senders.set(this.#last, new WeakRef(sender));
    this.#collected.register(sender, this.#last);
    return this.#last;
  }

  find(number: number): object | undefined {
    return this.#senders.get(number)?.deref();
  }
}
