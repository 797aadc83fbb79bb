/**
 * Carries the records of forwarded requests: through the exchange's rings, and as mail over
 * the link to other nodes.
 *
 * Runs on: shard; one for each.
 * Full: control records have a separate reserve; if it is full, `send` returns false.
 */

import { KIND } from "../pubsub/envelope.ts";
import { kindAndFlags, kindOf } from "../pubsub/exchange-layout.ts";
import { CONTROL_SLOT, type Exchange } from "../pubsub/exchange.ts";
import { packMail, unpackMail } from "../pubsub/node-mail.ts";
import type { ForwardingPort, ShardAddress } from "../transport/forwarding/forwarding-port.ts";
import type { NodeMemory } from "./control.ts";

/** The kind of forwarding records within a node. PubSub uses smaller numbers. */
const FORWARDING_KIND = 16;
const TYPE = kindAndFlags(FORWARDING_KIND, 0);
const MAIL_TYPE = kindAndFlags(KIND.mail, 0);

/** Reports whether a record was written by an ExchangeForwarding, on this node or another. */
export function isForwardingRecord(type: number): boolean {
  const kind = kindOf(type);
  return kind === FORWARDING_KIND || kind === KIND.mail;
}

/** A forwarding record and the shard that sent it. */
export interface ForwardingDelivery {
  readonly from: ShardAddress;
  /** A view of the bytes that the record arrived in. */
  readonly record: Uint8Array;
}

/**
 * Extracts a forwarding record and its sender from a record of the exchange.
 *
 * @param carrier - the member of this node that wrote the bytes: the sender, or the link for mail
 */
export function deliveryOf(
  carrier: ShardAddress,
  type: number,
  bytes: Uint8Array,
): ForwardingDelivery {
  if (kindOf(type) !== KIND.mail) return { from: carrier, record: bytes };
  const { from, bodyOffset } = unpackMail(bytes);
  return { from, record: bytes.subarray(bodyOffset) };
}

/** Sends forwarding records through the exchange. */
export class ExchangeForwarding implements ForwardingPort {
  readonly address: ShardAddress;
  readonly #exchange: Exchange;
  readonly #generations: Int32Array;
  readonly #link: number;

  constructor(memory: NodeMemory, member: number, exchange: Exchange) {
    this.address = { node: memory.nodeName, member };
    this.#link = memory.link;
    this.#exchange = exchange;
    this.#generations = new Int32Array(memory.exchange.generations);
  }

  reaches(node: string): boolean {
    return node === this.address.node || this.#link >= 0;
  }

  generationOf(member: number): number | undefined {
    const isMember = Number.isInteger(member) && member >= 0 && member < this.#generations.length;
    return isMember ? Atomics.load(this.#generations, member) : undefined;
  }

  send(to: ShardAddress, record: Uint8Array): boolean {
    if (to.node === this.address.node) {
      return this.#exchange.send(to.member, CONTROL_SLOT, TYPE, record, record.length);
    }
    if (this.#link < 0) return false;
    const mail = packMail(to, this.address, record);
    return this.#exchange.send(this.#link, CONTROL_SLOT, MAIL_TYPE, mail, mail.length);
  }
}
