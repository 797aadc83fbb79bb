/**
 * Limits how long a producer waits for room in other members' rings, and detects stalled members.
 *
 * A producer that finds no room waits before it queues a record: at most MAX_WAIT_MS in one turn of
 * the event loop, for all members together, and only for a member whose head has moved since the
 * last wait for it. So a member that reads its records slows its producers down to its own speed,
 * and a member that does not read costs each of them only one wait.
 *
 *   moving --head still and no room for STALLED_AFTER_MS--> stalled
 *     ^                                                       |
 *     +---------------- head moved, or nothing waits ---------+
 *
 * Runs on: the producer's thread, main included: the wait is in the caller of a broadcast. The
 *          watch has a timer only while something waits, and keeps no thread alive.
 * Order:   the wait is a nap on this member's own doorbell. The producer (1) asks for room, (2) stores
 *          that it naps, (3) checks the ring's head and its own rings, (4) sleeps. The consumer wakes
 *          it when there is room, other members when they want room in a ring to it.
 * Full:    if there is no room in time, the record is queued as if there had been no wait.
 *
 * Members that wait for each other make progress: while one waits, it empties those of its own rings
 * whose producers ask for room (`Inbound.takeOut`), so their heads move and they have room. The only
 * exception is a ring that is just being drained; its head moves after that drain, which ends after a
 * quarter of the ring. Every wait ends after MAX_WAIT_MS, so no two members can wait forever, however
 * full their rings are.
 */

import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import type { Doorbell } from "../memory/doorbell.ts";
import type { RingProducer } from "../memory/ring.ts";
import type { Logger } from "../log/logger.ts";
import { telemetry } from "../telemetry.ts";

/** Longest wait in one turn of the event loop. */
const MAX_WAIT_MS = 1;

/** A member is stalled if its head does not move for this long while records wait. */
export const STALLED_AFTER_MS = 50;

// -- one member --------------------------------------------------------------------------------------

/** A change detected by `look`. */
export type PaceChange = "stalled" | "goes on" | undefined;

/** Tracks, by a member's head, whether the member reads the records written to it. */
export class Pace {
  readonly #ring: RingProducer;
  /** The head at the last wait for this member. */
  #headAtWait: number | undefined = undefined;
  /** The head at the last look, and when it was first seen there. */
  #head: number;
  #sinceMs = 0;
  #isBehind = false;
  #isStalled = false;

  constructor(ring: RingProducer) {
    this.#ring = ring;
    this.#head = ring.head();
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** Time when `look` first saw the head at its current position. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /**
   * Begins a wait for this member, if waiting may help.
   *
   * @returns false if the head has not moved since the last wait began, or the member is stalled
   */
  beginWait(): boolean {
    const head = this.#ring.head();
    if (head === this.#headAtWait) return false;
    if (this.#isStalled && head === this.#head) return false;
    this.#headAtWait = head;
    return true;
  }

  /**
   * Looks at the head again.
   *
   * @param isBehind - true if records are waiting and there is no room for them
   */
  look(isBehind: boolean, nowMs: number): PaceChange {
    const head = this.#ring.head();
    const hasStood = isBehind && this.#isBehind && head === this.#head;
    this.#isBehind = isBehind;
    if (hasStood) {
      if (this.#isStalled || nowMs - this.#sinceMs < STALLED_AFTER_MS) return undefined;
      this.#isStalled = true;
      return "stalled";
    }
    this.#head = head;
    this.#sinceMs = nowMs;
    if (!this.#isStalled) return undefined;
    this.#isStalled = false;
    return "goes on";
  }
}

// -- the wait ----------------------------------------------------------------------------------------

/** The waits of one producer. */
export class Patience {
  readonly #doorbell: Doorbell;
  readonly #counters: Counters;
  readonly #takeOut: () => boolean;
  #leftMs = MAX_WAIT_MS;
  #isRenewing = false;
  #ring: RingProducer | undefined = undefined;
  readonly #renew = (): void => {
    this.#isRenewing = false;
    this.#leftMs = MAX_WAIT_MS;
  };
  readonly #look = (): boolean => this.#ring?.hasRoom() !== false || this.#takeOut();

  /** @param takeOut - takes records out of this member's own rings; returns whether it took any */
  constructor(doorbell: Doorbell, counters: Counters, takeOut: () => boolean) {
    this.#doorbell = doorbell;
    this.#counters = counters;
    this.#takeOut = takeOut;
  }

  /**
   * Waits for room in a ring, if a wait is allowed.
   *
   * @param to - the ring's consumer, which is woken because it may not yet know about earlier
   *   records
   * @returns whether there is room for any record
   */
  waitFor(to: number, ring: RingProducer, pace: Pace): boolean {
    if (this.#leftMs <= 0 || !pace.beginWait()) return false;
    const startMs = performance.now();
    let nowMs = startMs;
    if (!this.#isRenewing) setImmediate(this.#renew);
    this.#isRenewing = true;
    ring.askForRoom();
    this.#doorbell.press(to);
    this.#doorbell.wakeNapper(to);
    this.#ring = ring;
    while (!ring.hasRoom() && nowMs - startMs < this.#leftMs) {
      this.#doorbell.nap(this.#look, this.#leftMs - (nowMs - startMs));
      nowMs = performance.now();
    }
    this.#ring = undefined;
    this.#leftMs -= nowMs - startMs;
    this.#counters.add(COUNTER.waitedMs, nowMs - startMs);
    return ring.hasRoom();
  }
}

// -- the watch ---------------------------------------------------------------------------------------

/** A report that a member has stalled, or moves again. */
export interface Stall {
  readonly member: number;
  /** False if the member moves again, or if its number was retired. */
  readonly isStalled: boolean;
  /** Approximate time for which the member did not move. */
  readonly forMs: number;
  /** Bytes waiting for the member. */
  readonly queuedBytes: number;
}

/** The path to one member, as seen by its watch (`Outbound`). */
export interface WatchedWay {
  readonly pace: Pace;
  readonly isWaiting: boolean;
  readonly canFlush: boolean;
  readonly queuedBytes: number;
}

/** Half the time after which a member is stalled, so that a stall is noticed promptly. */
const LOOK_EVERY_MS = STALLED_AFTER_MS / 2;

/**
 * Watches the members for which records are waiting. Logs when one stalls, and when it moves again.
 */
export class StallWatch {
  readonly #ways: readonly (WatchedWay | undefined)[];
  readonly #counters: Counters;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined = undefined;
  readonly #onTimer = (): void => this.#lookAtAll();

  /** @param ways - paths, indexed by member */
  constructor(ways: readonly (WatchedWay | undefined)[], counters: Counters, logger: Logger) {
    this.#ways = ways;
    this.#counters = counters;
    this.#logger = logger;
  }

  /** Starts watching the members, unless already started. Called when a record waits. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(this.#onTimer, LOOK_EVERY_MS).unref();
    this.#lookAtAll();
  }

  /** Stops watching. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #lookAtAll(): void {
    const nowMs = performance.now();
    let isAnyWaiting = false;
    let stalled = 0;
    for (const [member, way] of this.#ways.entries()) {
      if (way === undefined) continue;
      this.#lookAt(member, way, nowMs);
      isAnyWaiting ||= way.isWaiting;
      if (way.pace.isStalled) stalled += 1;
    }
    this.#counters.set(COUNTER.stalledMembers, stalled);
    if (!isAnyWaiting) this.stop();
  }

  #lookAt(
    member: number,
    { pace, isWaiting, canFlush, queuedBytes }: WatchedWay,
    nowMs: number,
  ): void {
    const { sinceMs } = pace;
    const change = pace.look(isWaiting && !canFlush, nowMs);
    if (change === undefined) return;
    const forMs = Math.round(nowMs - sinceMs);
    const stall: Stall = { member, isStalled: change === "stalled", forMs, queuedBytes };
    if (telemetry.stalled.hasSubscribers) telemetry.stalled.publish(stall);
    this.#logger.log(stall.isStalled ? "stalled" : "stallEnded", stall);
  }
}
