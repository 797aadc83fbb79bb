/**
 * What members of retire.test.ts write to each other and check. Every word of a record contains the writer's
 * round: how many replacements of member 2 it knew of.
 *
 * Runs on: all threads of the test.
 */
import assert from "node:assert/strict";
import type { Exchange, ExchangeHandler } from "../../src/pubsub/exchange.ts";
import { makeRandom } from "./litmus.ts";

const REPLACED = 2;

/** The side of one member. */
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

  /** Reports whether this member has received a record of another one in this round. */
  heardFrom(member: number): boolean {
    return this.#heardFrom.has(member);
  }

  tellOnce(tell: () => void): void {
    if (this.#isTold) return;
    this.#isTold = true;
    tell();
  }

  /** Writes a burst that includes large records. */
  say(to: number): void {
    this.#words.fill(this.#round);
    for (let left = this.#random(12); left > 0; left -= 1) {
      const length = this.#random(4) === 0 ? 400 : 4;
      this.#exchange.send(to, 0, 1, this.#record, length);
    }
  }

  /** Forgets the replaced member, as every member does when another ends. */
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
      // Rounds only matter for records to and from the replaced member.
      if (round === this.#round) continue;
      assert.fail(`${this.#member} in round ${this.#round} got a record of ${round} from ${from}`);
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
