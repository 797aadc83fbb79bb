/**
 * What members of retire.test.ts write to each other and check. A record says, in every word,
 * in which round its writer wrote it: how many replacements of member 2 it has heard of.
 *
 * Runs on: all threads of the test.
 */
import assert from "node:assert/strict";
import type { Exchange, ExchangeHandler } from "../../src/pubsub/exchange.ts";
import { makeRandom } from "./litmus.ts";

const REPLACED = 2;

/** One member's side. */
export class RetireTalk implements ExchangeHandler {
  readonly #exchange: Exchange;
  readonly #member: number;
  readonly #record = new Uint8Array(400);
  readonly #words = new Int32Array(this.#record.buffer);
  readonly #random: (limit: number) => number;
  readonly #heardFrom = new Set<number>();
  #round: number;
  #isTold = false;

  constructor(exchange: Exchange, member: number, round = 0) {
    this.#exchange = exchange;
    this.#member = member;
    this.#round = round;
    this.#random = makeRandom(member + 1 + round);
  }

  /** Whether this member has had a record of another in this round. */
  heardFrom(member: number): boolean {
    return this.#heardFrom.has(member);
  }

  tellOnce(tell: () => void): void {
    if (this.#isTold) return;
    this.#isTold = true;
    tell();
  }

  /** Writes a burst, of large records too. */
  say(to: number): void {
    this.#words.fill(this.#round);
    for (let left = this.#random(12); left > 0; left -= 1) {
      const length = this.#random(4) === 0 ? 400 : 4;
      this.#exchange.send(to, 0, 1, this.#record, length);
    }
  }

  /** Forgets the replaced member, as every member does when one ends. */
  retire(): void {
    this.#exchange.drainFrom(REPLACED);
    this.#exchange.forget(REPLACED);
    this.#round += 1;
    this.#heardFrom.clear();
  }

  onRecord(from: number, _type: number, bytes: Uint8Array, offset: number, length: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
    for (let at = 0; at < length; at += 4) {
      const round = view.getInt32(at, true);
      // Only what goes to the replaced member or comes from it knows of rounds.
      if (round === this.#round) continue;
      assert.fail(`${this.#member} in round ${this.#round} got one of ${round} from ${from}`);
    }
    this.#heardFrom.add(from);
  }

  onLapped(): void {
    assert.fail("lapped");
  }

  onError(error: unknown): void {
    throw error;
  }
}
