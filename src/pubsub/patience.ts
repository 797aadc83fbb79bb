/**
 * How long a producer waits for room in other members' rings, before a record is queued.
 *
 * At most MAX_WAIT_MS in one turn of the event loop, for all members together; and only for one
 * whose head has moved since it was last waited for (see `pace`). So a member that takes its
 * records slows those who write to it down to its own speed; one that stands still costs each
 * of them one wait, and then nothing.
 *
 * Runs on: the producer's thread, main included: what waits is the caller of a broadcast.
 * Order:   the wait is a nap on this member's own doorbell: (1) asks for room, (2) arms, (3) looks
 *          at the ring's head and at its own rings, (4) stands still. The consumer presses when
 *          there is room, others when they write to this member.
 * Full:    where no room came in time the record is queued, as if nobody had waited.
 *
 * Members that wait for each other come on: meanwhile each takes out of its own rings what is
 * there (`Inbound.takeOut`), so that their heads move, and whoever waits for them has room. Only
 * the ring that is just being drained is left as it is; its head moves after that drain, which
 * ends after a quarter of it. And since a wait ends after MAX_WAIT_MS whatever happens, no two
 * can wait for ever, however full all their rings are.
 */

import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import type { Doorbell } from "../memory/doorbell.ts";
import type { RingProducer } from "../memory/ring.ts";
import type { Pace } from "./pace.ts";

/** Longest wait in one turn of the event loop. */
const MAX_WAIT_MS = 1;

/** What a patience is made of. */
export interface PatienceParts {
  readonly doorbell: Doorbell;
  readonly counters: Counters;
  /** Takes records out of this member's own rings. @returns whether there were any */
  readonly takeOut: () => boolean;
}

/** The patience of one member. */
export class Patience {
  readonly #parts: PatienceParts;
  #leftMs = MAX_WAIT_MS;
  #isRenewing = false;
  #ring: RingProducer | undefined = undefined;
  readonly #renew = (): void => {
    this.#isRenewing = false;
    this.#leftMs = MAX_WAIT_MS;
  };
  readonly #look = (): boolean => this.#ring?.hasRoom() !== false || this.#parts.takeOut();

  constructor(parts: PatienceParts) {
    this.#parts = parts;
  }

  /**
   * Waits for room in a ring, where it may.
   *
   * @param to - the ring's consumer, who is woken: what was written before may not be told yet
   * @returns whether there is room for any record
   */
  waitFor(to: number, ring: RingProducer, pace: Pace): boolean {
    if (this.#leftMs <= 0 || !pace.beginWait()) return false;
    const { doorbell, counters } = this.#parts;
    const startMs = performance.now();
    let nowMs = startMs;
    if (!this.#isRenewing) setImmediate(this.#renew);
    this.#isRenewing = true;
    ring.askForRoom();
    doorbell.press(to);
    this.#ring = ring;
    while (!ring.hasRoom() && nowMs - startMs < this.#leftMs) {
      doorbell.nap(this.#look, this.#leftMs - (nowMs - startMs));
      nowMs = performance.now();
    }
    this.#ring = undefined;
    this.#leftMs -= nowMs - startMs;
    counters.add(COUNTER.waitedMs, nowMs - startMs);
    return ring.hasRoom();
  }
}
