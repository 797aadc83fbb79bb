/**
 * Requests that one shard forwards to another, over real rings of an exchange, without their event loops.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { ExchangeWire, isSessionRecord } from "../../src/shard/exchange-wire.ts";
import type { NodeMemory } from "../../src/shard/control.ts";
import { STATUS } from "../../src/transport/longpoll-caller.ts";
import type { Caller } from "../../src/transport/longpoll-caller.ts";
import { SessionForwarding } from "../../src/transport/session-forwarding.ts";
import { TestNode } from "../support/members.ts";

const LIMITS = { acceptMs: 1_000, answerMs: 5_000, lateStatus: STATUS.none };
const BYTES = Buffer.from("request");

interface Shard {
  readonly forwarding: SessionForwarding;
  /** Requests that came, and those who made them. */
  readonly served: { readonly request: string; readonly caller: Caller }[];
  readonly drain: () => void;
  forgotten: number;
}

let node: TestNode;
let generations: Int32Array;
let asker: Shard;
let keeper: Shard;

function makeShard(member: number): Shard {
  const { exchange } = node.member(member);
  const memory = { exchange: node.exchangeMemory, nodeName: "n" } as NodeMemory;
  const shard: Shard = {
    forwarding: new SessionForwarding(
      new ExchangeWire(memory, member, exchange),
      (request, caller) => {
        shard.served.push({ request: Buffer.from(request).toString(), caller });
        return () => {
          shard.forgotten += 1;
        };
      },
    ),
    served: [],
    drain: () => exchange.drainNow(),
    forgotten: 0,
  };
  exchange.attach({
    onRecord: (from, type, bytes, offset, length) => {
      assert.ok(isSessionRecord(type));
      shard.forwarding.receive(from, bytes, offset, length);
    },
    onLapped: () => assert.fail("a control record was lapped"),
    onError: (error) => {
      throw error;
    },
  });
  return shard;
}

/** Has both sides take what the other wrote, until nothing more comes. */
function settle(): void {
  for (let round = 0; round < 400; round += 1) {
    asker.drain();
    keeper.drain();
  }
}

interface Got {
  status: number;
  messages: string;
  settled: ((isDelivered: boolean) => void) | undefined;
}

/** Sends a request from shard 0 to shard 1. */
function call(request: Uint8Array = BYTES): {
  readonly got: Got[];
  readonly cancel: (() => void) | undefined;
} {
  const got: Got[] = [];
  const caller: Caller = {
    answer: (status, messages, settled) => void got.push({ status, messages, settled }),
  };
  return { got, cancel: asker.forwarding.tryCall(1, 0, request, caller, LIMITS) };
}

/** A batch of a session, and what becomes of it. */
function answerBatch(messages = "[]"): boolean[] {
  const settled: boolean[] = [];
  keeper.served[0]?.caller.answer(STATUS.messages, messages, (isDelivered) => {
    settled.push(isDelivered);
  });
  settle();
  return settled;
}

function begin(sizes: ConstructorParameters<typeof TestNode>[0] = {}): void {
  node = new TestNode(sizes);
  generations = new Int32Array(node.exchangeMemory.generations);
  asker = makeShard(0);
  keeper = makeShard(1);
}

describe("forwarded requests", () => {
  beforeEach(() => begin());

  it("come to the shard that has the session, and their answers back", () => {
    const { got } = call();
    settle();
    assert.deepEqual(
      keeper.served.map(({ request }) => request),
      ["request"],
    );
    assert.equal(got.length, 0);
    keeper.served[0]?.caller.answer(STATUS.none, "[]");
    settle();
    assert.deepEqual(got, [{ status: STATUS.none, messages: "[]", settled: undefined }]);
    assert.deepEqual([asker.forwarding.size, keeper.forwarding.size], [0, 0]);
  });

  it("travel in parts where they are large, through a small ring with a small reserve", () => {
    begin({ ringBytes: 4_096, overflowBytes: 65_536 });
    const text = "x".repeat(1_000_000);
    const { got } = call(Buffer.from(text));
    settle();
    assert.equal(keeper.served[0]?.request, text);
    const settled = answerBatch(`["${text}"]`);
    assert.equal(got[0]?.messages, `["${text}"]`);
    got[0]?.settled?.(true);
    settle();
    assert.deepEqual(settled, [true]);
  });

  it("have a batch kept until it is known to be delivered", () => {
    const { got } = call();
    settle();
    const settled = answerBatch();
    assert.deepEqual(settled, []);
    assert.equal(keeper.forwarding.size, 1);
    got[0]?.settled?.(false);
    settle();
    assert.deepEqual(settled, [false]);
    assert.equal(keeper.forwarding.size, 0);
  });

  it("are given up: the session forgets them, and a batch on its way is not delivered", () => {
    const waiting = call();
    settle();
    waiting.cancel?.();
    settle();
    assert.equal(keeper.forgotten, 1);
    const crossing = call();
    settle();
    crossing.cancel?.();
    const settled: boolean[] = [];
    keeper.served[1]?.caller.answer(STATUS.messages, "[]", (isDelivered) => {
      settled.push(isDelivered);
    });
    settle();
    assert.deepEqual(settled, [false]);
    assert.deepEqual([waiting.got, crossing.got], [[], []]);
    assert.deepEqual([asker.forwarding.size, keeper.forwarding.size], [0, 0]);
  });

  it("that nobody accepts count as those of an unknown session", () => {
    const { got } = call();
    asker.forwarding.look(performance.now() + LIMITS.acceptMs - 500);
    assert.equal(got.length, 0);
    asker.forwarding.look(performance.now() + LIMITS.acceptMs + 1);
    assert.equal(got[0]?.status, STATUS.unknown);
  });

  it("that are accepted have longer, and then end as late ones", () => {
    const { got } = call();
    settle();
    asker.forwarding.look(performance.now() + LIMITS.acceptMs + 1);
    assert.equal(got.length, 0);
    asker.forwarding.look(performance.now() + LIMITS.answerMs + 1);
    assert.equal(got[0]?.status, LIMITS.lateStatus);
    settle();
    assert.equal(keeper.forgotten, 1);
  });

  it("end with the shard of the session, and with that of the client", () => {
    const { got } = call();
    settle();
    asker.forwarding.memberGone(2);
    keeper.forwarding.memberGone(2);
    assert.deepEqual([got, keeper.forgotten], [[], 0]);
    asker.forwarding.memberGone(1);
    assert.deepEqual(
      got.map(({ status }) => status),
      [STATUS.gone],
    );
    keeper.forwarding.memberGone(0);
    assert.equal(keeper.forgotten, 1);
  });

  it("do not reach a later thread of the same number", () => {
    const { got } = call();
    Atomics.add(generations, 1, 1);
    settle();
    assert.deepEqual([keeper.served.length, got.length], [0, 0]);
  });

  it("are refused where the reserve is full, and what follows them is not", () => {
    begin({ ringBytes: 4_096, overflowBytes: 65_536 });
    const accepted = call();
    settle();
    // As small as what follows, so that there is no room for that either.
    const calls = Array.from({ length: 400 }, () => call(Buffer.alloc(0)));
    const refused = calls.filter(({ cancel }) => cancel === undefined);
    assert.ok(refused.length > 0, "the reserve has no end");
    // The reserve is full: this waits, and goes when there is room.
    accepted.cancel?.();
    settle();
    asker.forwarding.look(performance.now());
    settle();
    assert.equal(keeper.forgotten, 1);
  });
});
