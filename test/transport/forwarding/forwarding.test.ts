/**
 * Requests that one shard forwards to another: over real rings of an exchange, without event loops, and
 * between nodes, where the test carries the mail and may lose it.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { Forwarding } from "../../../src/transport/forwarding/forwarding.ts";
import {
  packRecord,
  RECORD,
  SERVICE,
} from "../../../src/transport/forwarding/forwarding-record.ts";
import type { ShardAddress } from "../../../src/transport/forwarding/forwarding-port.ts";
import { STATUS } from "../../../src/transport/longpoll/request.ts";
import type { ForwardingCaller, Settled } from "../../../src/transport/forwarding/answer.ts";
import { ForwardingLines, type LineEnd } from "../../support/forwarding-lines.ts";
import type { NodeSizes } from "../../support/members.ts";

const STEP_MS = 2_000;
const LIMITS = { confirmMs: 1_000, answerMs: 5_000, lateStatus: STATUS.none };
const BYTES = Buffer.from("request");

interface Shard {
  readonly address: ShardAddress;
  readonly forwarding: Forwarding;
  /** Received requests, with their callers. */
  readonly served: { readonly request: string; readonly caller: ForwardingCaller }[];
  forgotten: number;
}

let lines: ForwardingLines;
let asker: Shard;
let keeper: Shard;

function makeShard(end: LineEnd): Shard {
  const shard: Shard = {
    address: end.address,
    forwarding: new Forwarding(
      end.port,
      SERVICE.longpoll,
      (request, caller) => {
        shard.served.push({ request: Buffer.from(request).toString(), caller });
        return () => {
          shard.forgotten += 1;
        };
      },
      STEP_MS,
    ),
    served: [],
    forgotten: 0,
  };
  end.receive = (from, record) => shard.forwarding.receive(from, record);
  return shard;
}

/** Lets both sides read what the other wrote, until there is nothing more. */
function settle(): void {
  lines.settle();
}

interface Got {
  status: number;
  messages: string;
  settled: Settled | undefined;
}

/** Sends a request from one shard to the other. */
function call(request: Uint8Array = BYTES): {
  readonly got: Got[];
  readonly cancel: (() => void) | undefined;
} {
  const got: Got[] = [];
  const caller: ForwardingCaller = {
    answer: (status, body, settled) =>
      void got.push({ status, messages: Buffer.from(body).toString(), settled }),
  };
  return { got, cancel: asker.forwarding.tryForward(keeper.address, 0, request, caller, LIMITS) };
}

/** A batch of a session, and its outcome. */
function answerBatch(messages = "[]"): (boolean | undefined)[] {
  const settled: (boolean | undefined)[] = [];
  keeper.served[0]?.caller.answer(STATUS.messages, Buffer.from(messages), (isDelivered) => {
    settled.push(isDelivered);
  });
  settle();
  return settled;
}

function beginOn(given: ForwardingLines): void {
  lines = given;
  [asker, keeper] = [makeShard(given.ends[0]), makeShard(given.ends[1])];
}

function begin(sizes: NodeSizes = {}): void {
  beginOn(ForwardingLines.near(sizes));
}

/** @param retired - how often the keeper's number was retired before */
function beginFar(sizes: NodeSizes = {}, retired = 0): void {
  beginOn(ForwardingLines.far(sizes, retired));
}

describe("forwarded requests", () => {
  beforeEach(() => begin());

  it("reach the shard with the session, and their answers return", () => {
    const { got } = call();
    settle();
    assert.deepEqual(
      keeper.served.map(({ request }) => request),
      ["request"],
    );
    assert.equal(got.length, 0);
    keeper.served[0]?.caller.answer(STATUS.none, Buffer.from("[]"));
    settle();
    assert.deepEqual(
      got.map(({ status, messages }) => [status, messages]),
      [[STATUS.none, "[]"]],
    );
    assert.deepEqual([asker.forwarding.size, keeper.forwarding.size], [0, 0]);
  });

  it("travel in parts if they are large, through a small ring with a small reserve", () => {
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

  it("count as held, except polls; those that are given up are answered with 503", () => {
    const { got } = call(Buffer.from("x".repeat(20_000)));
    call();
    assert.equal(asker.forwarding.heldBytes, 20_000 + BYTES.length);
    const held: number[] = [];
    asker.forwarding.visitHeld((owner, bytes) => {
      held.push(bytes);
      owner.shed();
    });
    assert.deepEqual(held, [20_000]);
    assert.deepEqual(got, [{ status: 503, messages: "", settled: undefined }]);
    settle();
    assert.deepEqual([asker.forwarding.size, keeper.forwarding.size], [1, 1]);
    assert.equal(asker.forwarding.heldBytes, BYTES.length);
    answerBatch(`["${"y".repeat(10_000)}"]`);
    assert.equal(asker.forwarding.heldBytes, 0);
  });

  it("keep a batch until it is known to be delivered", () => {
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

  it("can be cancelled: the session forgets them, and a batch in transit is not delivered", () => {
    const waiting = call();
    settle();
    waiting.cancel?.();
    settle();
    assert.equal(keeper.forgotten, 1);
    const crossing = call();
    settle();
    crossing.cancel?.();
    const settled: (boolean | undefined)[] = [];
    keeper.served[1]?.caller.answer(STATUS.messages, Buffer.from("[]"), (isDelivered) => {
      settled.push(isDelivered);
    });
    settle();
    assert.deepEqual(settled, [false]);
    assert.deepEqual([waiting.got, crossing.got], [[], []]);
    assert.deepEqual([asker.forwarding.size, keeper.forwarding.size], [0, 0]);
  });

  it("that are not accepted count as those of an unknown session", () => {
    const { got } = call();
    asker.forwarding.check(performance.now() + LIMITS.confirmMs - 500);
    assert.equal(got.length, 0);
    asker.forwarding.check(performance.now() + LIMITS.confirmMs + 1);
    assert.equal(got[0]?.status, STATUS.unknown);
  });

  it("that are accepted have more time, and then end with the late status", () => {
    const { got } = call();
    settle();
    asker.forwarding.check(performance.now() + LIMITS.confirmMs + 1);
    assert.equal(got.length, 0);
    asker.forwarding.check(performance.now() + LIMITS.answerMs + 1);
    assert.equal(got[0]?.status, LIMITS.lateStatus);
    settle();
    assert.equal(keeper.forgotten, 1);
  });

  it("end with the session's shard, and with the client's", () => {
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

  it("do not reach a later thread with the same number", () => {
    const { got } = call();
    lines.ends[1].retire();
    settle();
    assert.deepEqual([keeper.served.length, got.length], [0, 0]);
  });

  it("are refused if the reserve is full, but their later records are not", () => {
    begin({ ringBytes: 4_096, overflowBytes: 65_536 });
    const accepted = call();
    settle();
    // As small as the next record, so that there is no room for that either.
    const calls = Array.from({ length: 400 }, () => call(Buffer.alloc(0)));
    const refused = calls.filter(({ cancel }) => cancel === undefined);
    assert.ok(refused.length > 0, "the reserve has no end");
    // The reserve is full: this waits, and is sent when there is room.
    accepted.cancel?.();
    settle();
    asker.forwarding.check(performance.now());
    settle();
    assert.equal(keeper.forgotten, 1);
  });
});

/** Lets the time limits pass on both sides. */
function pass(ms: number): void {
  const nowMs = performance.now() + ms;
  asker.forwarding.check(nowMs);
  keeper.forwarding.check(nowMs);
  settle();
}

describe("requests that are forwarded to another node", () => {
  beforeEach(() => beginFar());

  it("arrive there, and their answers return", () => {
    const { got } = call();
    settle();
    assert.deepEqual(
      keeper.served.map(({ request }) => request),
      ["request"],
    );
    const settled = answerBatch('["a"]');
    assert.deepEqual(
      got.map(({ status, messages }) => [status, messages]),
      [[STATUS.messages, '["a"]']],
    );
    got[0]?.settled?.(true);
    settle();
    assert.deepEqual(settled, [true]);
    assert.deepEqual([asker.forwarding.size, keeper.forwarding.size], [0, 0]);
  });

  it("travel in parts if they are large, through a small ring with a small reserve", () => {
    beginFar({ ringBytes: 4_096, overflowBytes: 65_536 });
    const text = "x".repeat(200_000);
    const { got } = call(Buffer.from(text));
    settle();
    assert.equal(keeper.served[0]?.request, text);
    answerBatch(`["${text}"]`);
    assert.equal(got[0]?.messages, `["${text}"]`);
  });

  it("wait for the session as long as it takes", () => {
    const { got } = call();
    settle();
    pass(STEP_MS + 1);
    assert.deepEqual([got, keeper.forgotten], [[], 0]);
  });

  it("that are lost count in time as those of an unknown session", () => {
    lines.lost = [RECORD.request];
    const { got } = call();
    settle();
    pass(LIMITS.confirmMs + 1);
    assert.equal(got[0]?.status, STATUS.unknown);
  });

  it("for a thread that has ended are answered at once", () => {
    beginFar({}, 1);
    const { got } = call();
    settle();
    assert.deepEqual(
      got.map(({ status }) => status),
      [STATUS.unknown],
    );
    assert.equal(keeper.served.length, 0);
  });

  it("whose answer is lost are given up, and the batch is kept", () => {
    lines.lost = [RECORD.answer];
    const { got } = call();
    settle();
    const settled = answerBatch();
    asker.forwarding.check(performance.now() + LIMITS.answerMs + 1);
    settle();
    assert.equal(got[0]?.status, LIMITS.lateStatus);
    assert.deepEqual(settled, [false]);
  });

  it("whose batch may or may not have been delivered tell the session so", () => {
    lines.lost = [RECORD.settled];
    const { got } = call();
    settle();
    const settled = answerBatch();
    got[0]?.settled?.(true);
    settle();
    pass(STEP_MS - 500);
    assert.deepEqual(settled, []);
    pass(STEP_MS + 1);
    assert.deepEqual(settled, [undefined]);
    assert.equal(keeper.forwarding.size, 0);
  });

  it("whose batch was not fetched completely leave it to the session", () => {
    lines.lost = [RECORD.more];
    call();
    settle();
    const settled = answerBatch(`["${"x".repeat(20_000)}"]`);
    pass(STEP_MS + 1);
    assert.deepEqual(settled, [false]);
  });

  it("that are never completed are forgotten", () => {
    lines.lost = [RECORD.next];
    call(Buffer.alloc(20_000));
    settle();
    assert.equal(keeper.forwarding.size, 1);
    pass(STEP_MS + 1);
    assert.deepEqual([keeper.served.length, keeper.forwarding.size], [0, 0]);
  });

  it("that were forgotten before their last part are not served as that part alone", () => {
    const part = (text: string, rest: { isFirst?: boolean; isLast?: boolean }): void =>
      keeper.forwarding.receive(
        asker.address,
        packRecord(RECORD.request, 0, 7, { ...rest, part: Buffer.from(text) }),
      );
    part("begin ", { isFirst: true });
    keeper.forwarding.check(performance.now() + STEP_MS + 1);
    part("end", { isLast: true });
    assert.deepEqual([keeper.served.length, keeper.forwarding.size], [0, 0]);
    // Another request with the same number is not continued by what is left of the first.
    part("old ", { isFirst: true });
    part("new ", { isFirst: true });
    part("one", { isLast: true });
    assert.deepEqual(
      keeper.served.map(({ request }) => request),
      ["new one"],
    );
  });

  it("are ignored if they are no records", () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(11, RECORD.request)]) {
      keeper.forwarding.receive(asker.address, bytes);
    }
    assert.deepEqual([keeper.served.length, keeper.forwarding.size], [0, 0]);
  });

  it("do not end with a thread with the same number on this node", () => {
    const { got } = call();
    settle();
    asker.forwarding.memberGone(0);
    keeper.forwarding.memberGone(0);
    assert.deepEqual([got, keeper.forgotten], [[], 0]);
  });
});
