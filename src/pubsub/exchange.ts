/**
 * Carries records between members: a ring for each ordered pair, and a doorbell for each.
 *
 * Runs on: any member's thread; one Exchange for each member.
 * Owns:    the producer's side of the rings from this member, the consumer's of those to it;
 *          main alone writes generations, and the words of rings whose member has ended.
 * Order:   records of one member to another arrive in the order they were written.
 * Full:    its producer stands still for a moment (`patience`), then the record waits in a
 *          queue of the producer's; beyond `overflowBytes` for one member
 *          or `overflowTotalBytes` for all, it is lost and the member hears which slots it
 *          lost records of (`onLapped`). Control records have a reserve of their own.
 *
 * Retiring member m, step by step: its thread closes and ends; main tells every member, which
 * calls `drainFrom(m)` and `forget(m)` and acknowledges; then main calls `resetMember(m)`,
 * and only then a new thread may be given the number m.
 */

import { makeError } from "../errors.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { Doorbell } from "../memory/doorbell.ts";
import { HEADER_BYTES as RECORD_HEADER_BYTES, align } from "../memory/ring-layout.ts";
import { emptyRing, makeRingViews } from "../memory/ring.ts";
import type { CoalescingWindow } from "./coalescing-window.ts";
import { DrainLoop } from "./drain-loop.ts";
import { FIRST_EXCHANGE_KIND, kindOf, ringPlace } from "./exchange-layout.ts";
import type { ExchangeMemory } from "./exchange-layout.ts";
import { Inbound } from "./inbound.ts";
import type { ExchangeHandler } from "./inbound.ts";
import { LatePresses } from "./late-presses.ts";
import { Offered, Outbound } from "./outbound.ts";
import { CONTROL_SLOT, OutgoingRecord, queuedBytes } from "./outgoing-record.ts";
import { OverflowBudget } from "./overflow-queue.ts";
import { Patience } from "./patience.ts";
import { StallWatch } from "./stall-watch.ts";
import type { Stall } from "./stall-watch.ts";
import type { SubscriptionIndex } from "./subscription-index.ts";

export type { ExchangeHandler } from "./inbound.ts";
export type { LappedNotice } from "./lapped-slots.ts";
export { CONTROL_SLOT } from "./outgoing-record.ts";

/** What an exchange is made of. */
export interface ExchangeOptions {
  readonly memory: ExchangeMemory;
  readonly member: number;
  readonly index: SubscriptionIndex;
  readonly counters: Counters;
  /** Bound of what waits for one member (bytes). Control records may have a quarter more. */
  readonly overflowBytes: number;
  /** Bound of what waits for all members (bytes), a record for several counted once. */
  readonly overflowTotalBytes: number;
  /** Hears of members that take nothing while records wait for them, and when they go on. */
  readonly onStall?: (stall: Stall) => void;
  /** Where there is one, members are woken for broadcasts at its end. */
  readonly window?: CoalescingWindow | undefined;
  /** Records that one turn hands over before it lets the event loop go on. */
  readonly maxRecordsPerTurn?: number;
}

const MAX_RECORDS_PER_TURN = 256;
const NO_MEMBER = -1;

/** One member's end of all its rings. */
export class Exchange {
  readonly #memory: ExchangeMemory;
  readonly #member: number;
  readonly #index: SubscriptionIndex;
  readonly #counters: Counters;
  readonly #generations: Int32Array;
  readonly #doorbell: Doorbell;
  readonly #loop: DrainLoop;
  readonly #budget: OverflowBudget;
  readonly #patience: Patience;
  readonly #stalls: StallWatch;
  readonly #latePresses: LatePresses | undefined;
  readonly #maxRecordsPerTurn: number;
  /** By member; undefined at this member's own number. */
  readonly #outbound: readonly (Outbound | undefined)[];
  readonly #inbound: readonly (Inbound | undefined)[];
  /** For each member that was forgotten: 1 + its generation then. */
  readonly #forgotten: Float64Array;
  readonly #record = new OutgoingRecord();
  #handler: ExchangeHandler | undefined = undefined;
  /** The member whose ring is drained next. */
  #nextFrom = 0;
  /** The member whose ring is just being drained. */
  #drainingFrom = NO_MEMBER;
  /** The gauge of what waits for room, as it was set last. */
  #shownOverflowBytes = 0;
  #onSent: (() => void) | undefined;

  constructor(options: ExchangeOptions) {
    const { memory, member, overflowBytes } = options;
    this.#memory = memory;
    this.#member = member;
    this.#index = options.index;
    this.#counters = options.counters;
    this.#maxRecordsPerTurn = options.maxRecordsPerTurn ?? MAX_RECORDS_PER_TURN;
    this.#generations = new Int32Array(memory.generations);
    this.#doorbell = new Doorbell(memory.doorbells, member);
    this.#budget = new OverflowBudget({
      pairBytes: overflowBytes,
      controlBytes: overflowBytes / 4,
      totalBytes: options.overflowTotalBytes,
    });
    this.#patience = new Patience({
      doorbell: this.#doorbell,
      counters: this.#counters,
      takeOut: () => this.#takeOut(),
    });
    this.#forgotten = new Float64Array(memory.members);
    this.#outbound = memory.rings.map((_, to) => this.#makeOutbound(to));
    this.#inbound = this.#makeInbound();
    this.#stalls = new StallWatch({
      outbound: this.#outbound,
      counters: this.#counters,
      onStall: options.onStall ?? (() => {}),
    });
    this.#latePresses = this.#makeLatePresses(options.window);
    this.#loop = new DrainLoop(this.#doorbell, member, {
      turn: () => this.#turn(),
      hasWork: () => this.#hasWork(),
    });
  }

  /**
   * Writes one record to every other member in a slot's set.
   *
   * @param slot - of the record's topic
   * @param type - made by `kindAndFlags`
   * @param record - the caller's scratch buffer, read during the call only; quickest when it
   *   is the same one each time
   * @param also - one more member that gets the record, in the set or not; none where -1
   * @returns false where the record is larger than what may wait for a member; then nobody gets it
   */
  publish(slot: number, type: number, record: Uint8Array, length: number, also: number): boolean {
    if (!this.#hold(slot, type, record, length, this.#budget.pairBytes)) return false;
    for (let word = 0; word < this.#index.wordsPerSlot; word += 1) {
      let bits = this.#index.word(slot, word);
      if (also >> 5 === word) bits |= 1 << (also & 31);
      while (bits !== 0) {
        const lowest = bits & -bits;
        bits ^= lowest;
        const to = (word << 5) + 31 - Math.clz32(lowest);
        if (to !== this.#member) this.#offer(to);
      }
    }
    return true;
  }

  /**
   * Writes one record to one member.
   *
   * @param slot - of its topic; CONTROL_SLOT for a control record, which is never lapped
   * @returns false where it was not taken: too large, the member is forgotten, or a control
   *   record found its reserve full. A topic's record that is lapped is told, and so true
   */
  send(to: number, slot: number, type: number, record: Uint8Array, length: number): boolean {
    const { pairBytes, controlBytes } = this.#budget;
    const bound = slot === CONTROL_SLOT ? controlBytes : pairBytes;
    return this.#hold(slot, type, record, length, bound) && this.#offer(to);
  }

  /** Wakes at once whom presses are held for until the coalescing window ends. */
  pressNow(): void {
    this.#latePresses?.pressAll();
  }

  /** Tells whether there is such a member, other than this one. */
  reaches(member: number): boolean {
    return this.#outbound[member] !== undefined;
  }

  /** Tells whether a record of this length is more than may wait for a member: nobody gets it. */
  isTooLarge(length: number): boolean {
    return queuedBytes(length) > this.#budget.pairBytes;
  }

  /** Takes a handler and hands it records from now on, as this thread's event loop goes round. */
  start(handler: ExchangeHandler): void {
    this.attach(handler);
    this.#loop.start();
  }

  /** Hands over no more records. What others write waits, and then laps. */
  stop(): void {
    this.#stalls.stop();
    this.#loop.stop();
  }

  /** Takes a handler without starting the loop: for members that share a thread. */
  attach(handler: ExchangeHandler): void {
    this.#handler = handler;
  }

  /**
   * Does one turn at once: moves what waits into rings, hands over records.
   *
   * @returns how many records were read, fragments counted each
   */
  drainNow(limit: number = Number.MAX_SAFE_INTEGER): number {
    this.#flush();
    return this.#drain(limit);
  }

  /** Hands over all that a member has written: before it is forgotten. */
  drainFrom(member: number): void {
    const inbound = this.#inbound[member];
    if (inbound === undefined) return;
    while (this.#drainOne(member, inbound, Number.MAX_SAFE_INTEGER) > 0);
  }

  /**
   * Drops what waits for a member and the half of a large record from it, and sends it
   * nothing until its number has a new generation.
   */
  forget(member: number): void {
    this.#outbound[member]?.forget();
    this.#inbound[member]?.forget();
    this.#forgotten[member] = 1 + Atomics.load(this.#generations, member);
    this.#countOverflow();
  }

  /**
   * Empties the rings from and to a member and raises its generation. For main only, after
   * the member's thread has ended and every other member has forgotten it.
   */
  resetMember(member: number): void {
    this.#memory.rings.forEach((ring, other) => {
      emptyRing(makeRingViews(ring), ringPlace(this.#memory, member));
      const toMember = this.#memory.rings[member];
      if (toMember === undefined) return;
      emptyRing(makeRingViews(toMember), ringPlace(this.#memory, other));
    });
    Atomics.add(this.#generations, member, 1);
    // A thread that died between the two steps of a press would have left others waiting.
    for (let other = 0; other < this.#memory.members; other += 1) this.#doorbell.pressAlways(other);
  }

  /**
   * Waits until nothing waits for room any more: before this member ends.
   *
   * @returns false where the time ran out; then the gauge `overflowBytes` stays above 0
   */
  async sent(limitMs: number): Promise<boolean> {
    if (!this.#isWaiting()) return true;
    return new Promise((resolve) => {
      const settle = (isSent: boolean): void => {
        this.#onSent = undefined;
        clearTimeout(timer);
        resolve(isSent);
      };
      const timer = setTimeout(() => settle(false), limitMs);
      this.#onSent = (): void => settle(true);
    });
  }

  /** Bytes that wait for room in the ring to a member. */
  queuedBytesTo(member: number): number {
    return this.#outbound[member]?.queuedBytes ?? 0;
  }

  #makeLatePresses(window: CoalescingWindow | undefined): LatePresses | undefined {
    const { members, ringBytes } = this.#memory;
    if (window === undefined) return undefined;
    // Other windows end now as well: what is here already leaves with what was held here.
    window.onEnd(() => {
      if (this.#handler) this.drainNow(this.#maxRecordsPerTurn);
    });
    const press = (to: number): void => {
      if (this.#outbound[to]?.isUnread === true) this.#doorbell.press(to);
    };
    return new LatePresses({ members, ringBytes, window, press });
  }

  #makeOutbound(to: number): Outbound | undefined {
    const shared = this.#memory.rings[to];
    if (shared === undefined || to === this.#member) return undefined;
    return new Outbound({
      to,
      views: makeRingViews(shared),
      place: ringPlace(this.#memory, this.#member),
      generation: Atomics.load(this.#generations, this.#member),
      budget: this.#budget,
      patience: this.#patience,
    });
  }

  #makeInbound(): (Inbound | undefined)[] {
    const shared = this.#memory.rings[this.#member];
    if (shared === undefined) {
      throw makeError("SIM_ERR_INTERNAL", `no such member, member=${this.#member}`);
    }
    const views = makeRingViews(shared);
    return this.#memory.rings.map((_, from) => {
      if (from === this.#member) return undefined;
      const place = ringPlace(this.#memory, from);
      return new Inbound(from, views, place, this.#generations, this.#counters);
    });
  }

  /** Makes a record the one that `#offer` offers. @returns false where it is too large */
  #hold(slot: number, type: number, bytes: Uint8Array, length: number, bound: number): boolean {
    if (kindOf(type) >= FIRST_EXCHANGE_KIND) {
      throw makeError("SIM_ERR_INTERNAL", `kind of a caller's record, kind=${kindOf(type)}`);
    }
    if (queuedBytes(length) > bound) return false;
    this.#record.slot = slot;
    this.#record.type = type;
    this.#record.set(bytes, length);
    return true;
  }

  #offer(to: number): boolean {
    const outbound = this.#outbound[to];
    if (outbound === undefined) {
      throw makeError("SIM_ERR_INTERNAL", `no ring, from=${this.#member} to=${to}`);
    }
    if (this.#forgotten[to] !== 0 && this.#isForgotten(to)) return false;
    const mayWait = this.#mayPressLater(to);
    const outcome = outbound.offer(this.#record);
    // Whatever became of this record, earlier ones may have moved into the ring.
    if (!mayWait || outcome !== Offered.written) this.#press(to, outbound);
    if (outcome === Offered.written) {
      this.#counters.add(COUNTER.records);
      if (this.#shownOverflowBytes > 0) this.#countOverflow();
      return true;
    }
    this.#stalls.start();
    this.#countOverflow();
    if (outcome === Offered.queued) this.#counters.add(COUNTER.records);
    if (outcome === Offered.lapped) this.#counters.add(COUNTER.lapped);
    return outcome !== Offered.refused;
  }

  #mayPressLater(to: number): boolean {
    if (this.#latePresses === undefined || this.#record.slot === CONTROL_SLOT) return false;
    return this.#latePresses.mayWait(to, align(RECORD_HEADER_BYTES + this.#record.length));
  }

  #isForgotten(member: number): boolean {
    if (Atomics.load(this.#generations, member) + 1 === this.#forgotten[member]) return true;
    this.#forgotten[member] = 0;
    return false;
  }

  #turn(): boolean {
    this.#flush();
    return this.#drain(this.#maxRecordsPerTurn) >= this.#maxRecordsPerTurn;
  }

  #hasWork(): boolean {
    for (let member = 0; member < this.#memory.members; member += 1) {
      if (this.#inbound[member]?.isEmpty === false) return true;
      if (this.#outbound[member]?.canFlush === true) return true;
    }
    return false;
  }

  #flush(): void {
    let hasFlushed = false;
    for (let to = 0; to < this.#outbound.length; to += 1) {
      const outbound = this.#outbound[to];
      if (outbound === undefined || !outbound.isWaiting) continue;
      hasFlushed = true;
      if (outbound.flush()) this.#press(to, outbound);
    }
    if (hasFlushed) this.#countOverflow();
  }

  /** Goes once round the rings, beginning where the last call ended, so that none starves. */
  #drain(limit: number): number {
    const { members } = this.#memory;
    let left = limit;
    for (let visited = 0; visited < members && left > 0; visited += 1) {
      const from = this.#nextFrom;
      this.#nextFrom = from + 1 === members ? 0 : from + 1;
      const inbound = this.#inbound[from];
      if (inbound === undefined) continue;
      for (let read = -1; read !== 0 && left > 0; left -= read) {
        read = this.#drainOne(from, inbound, left);
      }
    }
    return limit - left;
  }

  /** Takes out of the rings to this member what there is, but for the one that is drained. */
  #takeOut(): boolean {
    let hasTaken = false;
    for (const [from, inbound] of this.#inbound.entries()) {
      if (inbound === undefined || from === this.#drainingFrom || !inbound.takeOut()) continue;
      hasTaken = true;
      this.#giveRoom(from, inbound);
    }
    return hasTaken;
  }

  #drainOne(from: number, inbound: Inbound, limit: number): number {
    const handler = this.#handler;
    if (handler === undefined || this.#drainingFrom !== NO_MEMBER) {
      const state = `attached=${handler !== undefined} draining=${this.#drainingFrom}`;
      throw makeError("SIM_ERR_INTERNAL", `drain without a handler or within one, ${state}`);
    }
    this.#drainingFrom = from;
    try {
      return inbound.drain(handler, limit);
    } finally {
      this.#drainingFrom = NO_MEMBER;
      this.#giveRoom(from, inbound);
    }
  }

  /** Wakes a member for which there may be something in its ring. */
  #press(to: number, outbound: Outbound): void {
    this.#doorbell.press(to);
    // One that stands still takes out what is there once it is asked for room.
    if (outbound.isWaiting) this.#doorbell.wakeNapper(to);
  }

  /** Wakes a producer that waits for room, where there is some, asleep or standing still. */
  #giveRoom(from: number, inbound: Inbound): void {
    if (!inbound.isRoomWanted) return;
    this.#doorbell.press(from);
    this.#doorbell.wakeNapper(from);
  }

  #isWaiting(): boolean {
    return this.#outbound.some((outbound) => outbound?.isWaiting);
  }

  #countOverflow(): void {
    this.#shownOverflowBytes = this.#budget.waitingBytes;
    this.#counters.set(COUNTER.overflowBytes, this.#shownOverflowBytes);
    if (this.#onSent && !this.#isWaiting()) this.#onSent();
  }
}
