/**
 * Carries the records of forwarded long-poll requests through the rings of the exchange.
 *
 * Runs on: shard; one for each.
 * Full: control records have a reserve of their own; where that is full, `send` says so.
 */

import { kindAndFlags, kindOf } from "../pubsub/exchange-layout.ts";
import { CONTROL_SLOT, type Exchange } from "../pubsub/exchange.ts";
import type { SessionWire } from "../transport/session-wire.ts";
import type { NodeMemory } from "./control.ts";

/** Kind of these records; those of PubSub come before it. */
const SESSION_KIND = 16;
const TYPE = kindAndFlags(SESSION_KIND, 0);

/** True for a record that an ExchangeWire wrote. */
export function isSessionRecord(type: number): boolean {
  return kindOf(type) === SESSION_KIND;
}

/** The exchange as a wire. */
export class ExchangeWire implements SessionWire {
  readonly node: string;
  readonly member: number;
  readonly #exchange: Exchange;
  readonly #generations: Int32Array;

  constructor(memory: NodeMemory, member: number, exchange: Exchange) {
    this.node = memory.nodeName;
    this.member = member;
    this.#exchange = exchange;
    this.#generations = new Int32Array(memory.exchange.generations);
  }

  generationOf(member: number): number | undefined {
    const isMember = Number.isInteger(member) && member >= 0 && member < this.#generations.length;
    return isMember ? Atomics.load(this.#generations, member) : undefined;
  }

  send(to: number, record: Uint8Array): boolean {
    return this.#exchange.send(to, CONTROL_SLOT, TYPE, record, record.length);
  }
}
