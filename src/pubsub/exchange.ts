/**
 * Carries records between members: a ring for each ordered pair, and a doorbell for each member.
 *
 * Runs on: any member's thread; one Exchange for each member.
 * Owns:    the producer's side of the rings from this member, the consumer's side of the rings to
 *          it. Main alone writes generations, and the words of rings whose member has ended.
 * Order:   records of one member to another arrive in the order in which they were written.
 * Full:    the producer waits for a moment (`patience`), then queues the record. Beyond
 *          `overflowBytes` for one member or `overflowTotalBytes` for all, the record is lost, and the
 *          member is told in which slots it lost records (`onLapped`). The same happens to what waits for a
 *          member if the node holds too much (`maxBufferBytes`). Control records have a reserve of their own.
 */

import { makeError } from "../errors.ts";
import type { BufferVisit } from "../held-bytes.ts";
import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { Doorbell } from "../memory/doorbell.ts";
import { HEADER_BYTES as RECORD_HEADER_BYTES, align } from "../memory/ring-layout.ts";
import { emptyRing, makeRingViews } from "../memory/ring.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { DrainLoop } from "./drain-loop.ts";
import { FIRST_EXCHANGE_KIND, kindOf, NO_MEMBER, ringPlace } from "./exchange-layout.ts";
import type { ExchangeMemory } from "./exchange-layout.ts";
import { LatePresses, type CoalescingWindow } from "./holding-windows.ts";
import { Inbound } from "./inbound.ts";
import type { ExchangeHandler } from "./inbound.ts";
import { Offered, Outbound } from "./outbound.ts";
import { CONTROL_SLOT, OutgoingRecord, OverflowBudget, queuedBytes } from "./outgoing-records.ts";
import { Patience, StallWatch } from "./patience.ts";
import type { SubscriptionIndex } from "./subscription-index.ts";

export type { ExchangeHandler } from "./inbound.ts";
export type { LappedNotice } from "./outgoing-records.ts";
export { CONTROL_SLOT } from "./outgoing-records.ts";

/** The dependencies of an Exchange. */
export interface ExchangeOptions {
  readonly memory: ExchangeMemory;
  readonly member: number;
  readonly index: SubscriptionIndex;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly options: Pick<ResolvedOptions, "overflowBytes" | "overflowTotalBytes">;
  /** If given, members are woken for broadcasts at the end of this window. */
  readonly window?: CoalescingWindow | undefined;
  /** Number of records that one turn delivers before it yields to the event loop. */
  readonly maxRecordsPerTurn?: number;
}

const MAX_RECORDS_PER_TURN = 256;
/** Size of the records of a turn after which it ends (bytes): answers with parts of a history are large. */
const MAX_BYTES_PER_TURN = 262_144;

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
  /** Paths by member; undefined at this member's own number. */
  readonly #outbound: readonly (Outbound | undefined)[];
  readonly #inbound: readonly (Inbound | undefined)[];
  /** For each forgotten member: 1 + its generation at that time. */
  readonly #forgotten: Float64Array;
  readonly #record = new OutgoingRecord();
  #handler: ExchangeHandler | undefined = undefined;
  /** The member whose ring is drained next. */
  #nextFrom = 0;
  /** The member whose ring is being drained. */
  #drainingFrom = NO_MEMBER;
  /** Last value of the gauge `overflowBytes`. */
  #shownOverflowBytes = 0;
  #onSent: (() => void) | undefined;

  constructor(given: ExchangeOptions) {
    const { memory, member, index, counters, logger, options, window } = given;
    this.#memory = memory;
    this.#member = member;
    this.#index = index;
    this.#counters = counters;
    this.#maxRecordsPerTurn = given.maxRecordsPerTurn ?? MAX_RECORDS_PER_TURN;
    this.#generations = new Int32Array(memory.generations);
    this.#doorbell = new Doorbell(memory.doorbells, member);
    this.#budget = new OverflowBudget(options);
    this.#patience = new Patience(this.#doorbell, counters, () => this.#takeOut());
    this.#forgotten = new Float64Array(memory.members);
    this.#outbound = memory.rings.map((_, to) => this.#makeOutbound(to));
    this.#inbound = this.#makeInbound();
    this.#stalls = new StallWatch(this.#outbound, counters, logger);
    this.#latePresses = this.#makeLatePresses(window);
    this.#loop = new DrainLoop(this.#doorbell, member, {
      turn: () => this.#turn(),
      hasWork: () => this.#hasWork(),
    });
  }

  /**
   * Writes one record to every other member in a slot's set.
   *
   * @param slot - slot of the record's topic
   * @param type - made by `kindAndFlags`
   * @param record - the caller's scratch buffer, read during the call only; fastest if it is the
   *   same buffer each time
   * @param also - one more member that receives the record, in the set or not; -1 for none
   * @returns false if the record exceeds the bound for one member; then no member receives it
   */
  publish(slot: number, type: number, record: Uint8Array, length: number, also: number): boolean {
    if (!this.#hold(slot, type, record, length, this.#budget.overflowBytes)) return false;
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
   * @param slot - slot of the record's topic; CONTROL_SLOT for a control record, which is never
   *   lapped
   * @returns false if the record was not accepted: it is too large, the member is forgotten, or the
   *   reserve for control records is full. True for a topic record that is lapped, because that is
   *   reported
   */
  send(to: number, slot: number, type: number, record: Uint8Array, length: number): boolean {
    const { overflowBytes, controlBytes } = this.#budget;
    const bound = slot === CONTROL_SLOT ? controlBytes : overflowBytes;
    return this.#hold(slot, type, record, length, bound) && this.#offer(to);
  }

  /** Wakes the members whose presses are held until the coalescing window ends. */
  pressNow(): void {
    this.#latePresses?.pressAll();
  }

  /** Reports whether a member with this number exists, other than this member. */
  reaches(member: number): boolean {
    return this.#outbound[member] !== undefined;
  }

  /** Reports whether a record exceeds the bound for one member, and so cannot be sent. */
  isTooLarge(length: number): boolean {
    return queuedBytes(length) > this.#budget.overflowBytes;
  }

  /** Starts passing records to a handler, in turns of this thread's event loop. */
  start(handler: ExchangeHandler): void {
    this.attach(handler);
    this.#loop.start();
  }

  /** Continues after main has ended what a record's handler had called (`shard/forced-end`). */
  recover(): void {
    const from = this.#drainingFrom;
    const inbound = this.#inbound[from];
    this.#drainingFrom = NO_MEMBER;
    if (inbound) {
      inbound.recover();
      this.#giveRoom(from, inbound);
    }
    this.#loop.recover();
  }

  /**
   * Stops passing records on. Records that others write from now on wait, and are finally lapped.
   */
  stop(): void {
    this.#stalls.stop();
    this.#loop.stop();
  }

  /** Sets the handler without starting the loop; `drainNow` and `drainFrom` pass it records. */
  attach(handler: ExchangeHandler): void {
    this.#handler = handler;
  }

  /**
   * Runs one turn immediately: moves waiting records into rings, and passes records to the handler.
   *
   * @returns the number of records read; each fragment counts as one
   */
  drainNow(limit: number = Number.MAX_SAFE_INTEGER): number {
    this.#flush();
    return this.#drain(limit);
  }

  /** Passes on all records that a member has written, before the member is forgotten. */
  drainFrom(member: number): void {
    const inbound = this.#inbound[member];
    if (inbound === undefined) return;
    while (this.#drainOne(member, inbound, Number.MAX_SAFE_INTEGER) > 0);
  }

  /**
   * Drops the records waiting for a member, and the part of a large record that has arrived from
   * it. Nothing is sent to the member until its number has a new generation.
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
    // A thread that died between the two steps of a press may have left others waiting.
    for (let other = 0; other < this.#memory.members; other += 1) this.#doorbell.pressAlways(other);
  }

  /**
   * Waits until no records are waiting for room any more, before this member ends.
   *
   * @returns false if the time limit was reached; then the gauge `overflowBytes` stays above 0
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

  /** Returns the number of bytes waiting for room in the ring to a member. */
  queuedBytesTo(member: number): number {
    return this.#outbound[member]?.queuedBytes ?? 0;
  }

  /** Bytes that wait for room in rings to all members, each record counted once. */
  get maxHeldBytes(): number {
    return this.#budget.waitingBytes;
  }

  /** Visits each member for which records wait. `shed` drops them, and notifies the member. */
  visitHeld(visit: BufferVisit): void {
    const queued = this.#outbound.reduce((sum, way) => sum + (way?.queuedBytes ?? 0), 0);
    // Several members may wait for the same copy of a record.
    const share = queued === 0 ? 0 : this.#budget.waitingBytes / queued;
    for (const outbound of this.#outbound) {
      if (!outbound || outbound.queuedBytes === 0) continue;
      visit({ shed: () => this.#shed(outbound) }, outbound.queuedBytes * share);
    }
  }

  #shed(outbound: Outbound): void {
    this.#counters.add(COUNTER.lapped, outbound.shed());
    this.#countOverflow();
  }

  #makeLatePresses(window: CoalescingWindow | undefined): LatePresses | undefined {
    if (window === undefined) return undefined;
    // The windows of other threads also end now: what has arrived is sent together with what was
    // held here.
    window.onEnd(() => {
      if (this.#handler) this.drainNow(this.#maxRecordsPerTurn);
    });
    const press = (to: number): void => {
      if (this.#outbound[to]?.isUnread === true) this.#doorbell.press(to);
    };
    return new LatePresses(window, this.#memory, press);
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

  /** Prepares a record for `#offer`. @returns false if it is too large */
  #hold(slot: number, type: number, bytes: Uint8Array, length: number, bound: number): boolean {
    if (kindOf(type) >= FIRST_EXCHANGE_KIND) {
      throw makeError("SIM_ERR_INTERNAL", `kind reserved for the exchange, kind=${kindOf(type)}`);
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
    // Whatever the outcome, earlier records may have moved into the ring.
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
    return this.#drain(this.#maxRecordsPerTurn, MAX_BYTES_PER_TURN) >= this.#maxRecordsPerTurn;
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

  /**
   * Visits each ring once, starting where the last call ended, so that no ring is starved.
   *
   * @returns the number of records read, or `limit` if it stopped because of `maxBytes`
   */
  #drain(limit: number, maxBytes = Infinity): number {
    const { members } = this.#memory;
    let left = limit;
    let bytesLeft = maxBytes;
    for (let visited = 0; visited < members && left > 0; visited += 1) {
      const from = this.#nextFrom;
      this.#nextFrom = from + 1 === members ? 0 : from + 1;
      const inbound = this.#inbound[from];
      if (inbound === undefined) continue;
      for (let read = -1; read !== 0 && left > 0; left -= read) {
        read = this.#drainOne(from, inbound, left);
        bytesLeft -= inbound.drainedBytes;
        if (bytesLeft <= 0) return limit;
      }
    }
    return limit - left;
  }

  /** Takes records out of the rings to this member, except for the one that is being drained. */
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
      throw makeError("SIM_ERR_INTERNAL", `drain without a handler or within a drain, ${state}`);
    }
    this.#drainingFrom = from;
    try {
      return inbound.drain(handler, limit);
    } finally {
      this.#drainingFrom = NO_MEMBER;
      this.#giveRoom(from, inbound);
    }
  }

  /** Wakes a member whose ring may contain records to read. */
  #press(to: number, outbound: Outbound): void {
    this.#doorbell.press(to);
    // A napping member takes records out of its ring once it is asked for room.
    if (outbound.isWaiting) this.#doorbell.wakeNapper(to);
  }

  /** Wakes a producer that is waiting for room if there is room now, whether it sleeps or naps. */
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
