/**
 * Two shards whose forwarding records travel over real rings of an exchange, without event loops: on one node,
 * or on two nodes, between which the lines carry the mail and may lose it.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";

import { KIND } from "../../src/pubsub/envelope.ts";
import { kindOf } from "../../src/pubsub/exchange-layout.ts";
import { CONTROL_SLOT, type Exchange } from "../../src/pubsub/exchange.ts";
import { unpackMail } from "../../src/pubsub/node-mail.ts";
import type { NodeMemory } from "../../src/shard/control.ts";
import {
  deliveryOf,
  ExchangeForwarding,
  isForwardingRecord,
} from "../../src/shard/exchange-forwarding.ts";
import type {
  ForwardingPort,
  ShardAddress,
} from "../../src/transport/forwarding/forwarding-port.ts";
import { unpackRecord, type RecordType } from "../../src/transport/forwarding/forwarding-record.ts";
import { TestNode, type NodeSizes } from "./members.ts";

/** The links' member number. */
const LINK = 2;
/** More rounds than any test's records need. */
const ROUNDS = 400;

/** A shard's end of the lines. */
export class LineEnd {
  readonly address: ShardAddress;
  readonly port: ForwardingPort;
  /** Handles what arrives. */
  receive: (from: ShardAddress, record: Uint8Array) => void = () => {};
  readonly #exchange: Exchange;
  readonly #generations: Int32Array;

  constructor(node: TestNode, nodeName: string, member: number) {
    const { exchange } = node.member(member);
    const memory = { exchange: node.exchangeMemory, nodeName, link: node.link } as NodeMemory;
    this.address = { node: nodeName, member };
    this.port = new ExchangeForwarding(memory, member, exchange);
    this.#exchange = exchange;
    this.#generations = new Int32Array(node.exchangeMemory.generations);
    exchange.attach({
      onRecord: (from, type, bytes, offset, length) => {
        assert.ok(isForwardingRecord(type));
        const carrier = { node: nodeName, member: from };
        const delivery = deliveryOf(carrier, type, bytes.subarray(offset, offset + length));
        this.receive(delivery.from, delivery.record);
      },
      onLapped: () => assert.fail("a control record was lapped"),
      onError: (error) => {
        throw error;
      },
    });
  }

  drain(): void {
    this.#exchange.drainNow();
  }

  /** Ends this thread, whose member number a later thread gets. */
  retire(): void {
    Atomics.add(this.#generations, this.address.member, 1);
  }
}

/** The lines between two shards. */
export class ForwardingLines {
  readonly ends: readonly [LineEnd, LineEnd];
  /** Types of records that are lost on the way to the other node. */
  lost: readonly RecordType[] = [];
  #links: readonly Exchange[] = [];

  private constructor(ends: readonly [LineEnd, LineEnd]) {
    this.ends = ends;
  }

  /** Returns two shards of one node, the members 0 and 1. */
  static near(sizes: NodeSizes = {}): ForwardingLines {
    const node = new TestNode(sizes);
    return new ForwardingLines([new LineEnd(node, "n", 0), new LineEnd(node, "n", 1)]);
  }

  /**
   * Returns shards of two nodes, `near` and `far`. Both have the same member number, each on its own node.
   *
   * @param retired - how often the number of the far shard was retired before
   */
  static far(sizes: NodeSizes = {}, retired = 0): ForwardingLines {
    const near = new TestNode({ ...sizes, link: LINK });
    const far = new TestNode({ ...sizes, link: LINK });
    Atomics.store(new Int32Array(far.exchangeMemory.generations), 0, retired);
    const lines = new ForwardingLines([new LineEnd(near, "near", 0), new LineEnd(far, "far", 0)]);
    lines.#link(near.member(LINK).exchange, far.member(LINK).exchange);
    return lines;
  }

  /** Lets both sides read what the other wrote, until there is nothing more. */
  settle(): void {
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const end of this.ends) {
        end.drain();
        for (const link of this.#links) link.drainNow();
      }
    }
  }

  #link(a: Exchange, b: Exchange): void {
    for (const [own, other] of [
      [a, b],
      [b, a],
    ] as const) {
      own.attach({
        onRecord: (_from, type, bytes, offset, length) => {
          assert.equal(kindOf(type), KIND.mail);
          const mail = Uint8Array.from(bytes.subarray(offset, offset + length));
          const { to, bodyOffset } = unpackMail(mail);
          if (this.lost.includes(unpackRecord(mail.subarray(bodyOffset)).type)) return;
          assert.ok(other.send(to.member, CONTROL_SLOT, type, mail, mail.length));
        },
        onLapped: () => assert.fail("mail was lapped"),
        onError: (error) => {
          throw error;
        },
      });
    }
    this.#links = [a, b];
  }
}
