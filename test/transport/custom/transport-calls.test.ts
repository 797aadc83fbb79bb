/**
 * Calls between the custom transports of two shards: over real rings of an exchange, and between nodes, where
 * the test carries the mail and may lose it.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { beforeEach, describe, it } from "node:test";

import type { ErrorCode } from "../../../src/errors.ts";
import { Logger } from "../../../src/log/logger.ts";
import type {
  TransportCall,
  TransportCallHandler,
  TransportHost,
} from "../../../src/transport/custom/definition.ts";
import { TransportCalls } from "../../../src/transport/custom/transport-calls.ts";
import { RECORD } from "../../../src/transport/forwarding/forwarding-record.ts";
import { within } from "../../support/deadline.ts";
import { ForwardingLines, type LineEnd } from "../../support/forwarding-lines.ts";
import { Deferred, turn } from "../../support/world.ts";

type Host = Pick<TransportHost, "address" | "call" | "onCall">;

const CONFIRM_MS = 2_000;
const MAX_BYTES = 16_777_216;
const MAX_CALLS = 65_536;

interface Shard {
  readonly calls: TransportCalls;
  readonly host: Host;
  readonly log: { readonly text: string; readonly err: unknown }[];
}

let lines: ForwardingLines;
let asker: Shard;
let keeper: Shard;

function makeShard(end: LineEnd, secretKeyBase = "s".repeat(64)): Shard {
  const log: Shard["log"] = [];
  const note = (fields: object, text: string): void =>
    void log.push({ text, err: "err" in fields ? fields.err : undefined });
  const logger = new Logger("debug", { debug: note, info: note, warn: note, error: note });
  const options = { longpollTimeoutMs: CONFIRM_MS, secretKeyBase };
  const calls = new TransportCalls({ logger, options }, end.port);
  end.receive = (from, record) => calls.receive(from, record);
  return { calls, host: calls.hostOf("line"), log };
}

function begin(given: ForwardingLines): void {
  lines = given;
  [asker, keeper] = [makeShard(given.ends[0]), makeShard(given.ends[1])];
}

/** Calls the other shard, and lets its answer return. */
async function called(
  request: string | Uint8Array,
  options?: Parameters<Host["call"]>[2],
  to = keeper.host.address,
): Promise<string> {
  const answer = asker.host.call(to, request, options);
  // The test may look at the answer later than it is rejected.
  answer.catch(() => {});
  lines.settle();
  await turn();
  lines.settle();
  return Buffer.from(await within(answer, "the answer")).toString();
}

/** Serves calls on the other shard until the test answers. */
function serving(shard: Shard = keeper): {
  readonly requests: string[];
  readonly calls: TransportCall[];
  readonly answer: Deferred<string>;
} {
  const served = {
    requests: [] as string[],
    calls: [] as TransportCall[],
    answer: new Deferred<string>(),
  };
  shard.host.onCall(async (request, call) => {
    served.requests.push(Buffer.from(request).toString());
    served.calls.push(call);
    return served.answer.promise;
  });
  return served;
}

async function rejected(answer: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(within(answer, "the rejection"), { code });
}

/** Asserts that nothing is left of any call, on both sides. */
function assertNothingLeft(): void {
  lines.settle();
  assert.deepEqual([asker.calls.size, keeper.calls.size], [0, 0]);
}

describe("a call of a custom transport", () => {
  beforeEach(() => begin(ForwardingLines.near()));

  it("reaches the transport on the other shard, and its answer returns", async () => {
    keeper.host.onCall((request) => `got ${Buffer.from(request).toString()}`);
    assert.equal(await called("one"), "got one");
    assert.equal(await called(Buffer.from("two")), "got two");
    assert.equal(await called(""), "got ");
    assertNothingLeft();
  });

  it("reaches the transport of the same name only", async () => {
    keeper.host.onCall(() => "line");
    const other = keeper.calls.hostOf("other é");
    assert.equal(other.address, keeper.host.address);
    const mine = asker.calls.hostOf("other é");
    const early = mine.call(keeper.host.address, "");
    lines.settle();
    await rejected(early, "SIM_ERR_TRANSPORT_UNREACHABLE");
    other.onCall(() => "other");
    const late = mine.call(keeper.host.address, "");
    lines.settle();
    assert.equal(Buffer.from(await late).toString(), "other");
    assert.equal(await called(""), "line");
  });

  it("may be answered later, with bytes that are copied", async () => {
    const answer = new Deferred<Uint8Array>();
    keeper.host.onCall(async () => answer.promise);
    const returned = Buffer.alloc(20_000, "a");
    const pending = called("one");
    answer.resolve(returned);
    await turn();
    returned.fill("b");
    assert.equal(await pending, "a".repeat(20_000));
  });

  it("travels in parts if it is large, through a small ring with a small reserve", async () => {
    begin(ForwardingLines.near({ ringBytes: 4_096, overflowBytes: 65_536 }));
    keeper.host.onCall((request) => request);
    const text = "é".repeat(400_000);
    assert.equal(await called(text), text);
    assertNothingLeft();
  });

  it("of up to 8,000 bytes is handled in order", async () => {
    begin(ForwardingLines.near({ ringBytes: 4_096, overflowBytes: 1_048_576 }));
    const served = serving();
    const requests = Array.from({ length: 20 }, (_, n) => String(n).padStart(n % 2 ? 8_000 : 1));
    const answers = requests.map(async (request) => asker.host.call(keeper.host.address, request));
    served.answer.resolve("");
    lines.settle();
    await turn();
    lines.settle();
    await within(Promise.all(answers), "all answers");
    assert.deepEqual(served.requests, requests);
  });

  it("to the own address is handled at once", async () => {
    const seen: string[] = [];
    asker.host.onCall((request) => {
      seen.push(Buffer.from(request).toString());
      return request;
    });
    const bytes = Buffer.from("one");
    const answer = asker.host.call(asker.host.address, bytes);
    bytes.fill(0);
    assert.deepEqual(seen, ["one"]);
    assert.equal(Buffer.from(await answer).toString(), "one");
    assertNothingLeft();
  });

  it("has an address that fits into a URL", () => {
    assert.match(keeper.host.address, /^[\w.-]{1,400}$/);
    assert.notEqual(keeper.host.address, asker.host.address);
  });

  it("is rejected if nobody has the address, or no shard has issued it", async () => {
    keeper.host.onCall(() => "");
    const { address } = keeper.host;
    const forged = address.replace(/^1\./, "2.");
    assert.notEqual(forged, address);
    const stranger = makeShard(lines.ends[1], "t".repeat(64)).host.address;
    for (const to of ["", "nonsense", forged, `${address}x`, address.slice(0, -1), stranger]) {
      await rejected(asker.host.call(to, ""), "SIM_ERR_TRANSPORT_UNREACHABLE");
    }
    assertNothingLeft();
  });

  it("is rejected if the address is of an earlier process of the node", async () => {
    const before = [asker.host.address, keeper.host.address];
    asker = makeShard(lines.ends[0]);
    keeper = makeShard(lines.ends[1]);
    keeper.host.onCall(() => "");
    asker.host.onCall(() => "");
    for (const to of before) {
      await rejected(called("", {}, to), "SIM_ERR_TRANSPORT_UNREACHABLE");
    }
    assertNothingLeft();
  });

  it("is rejected if its handler throws, which is logged there", async () => {
    const boom = new Error("boom");
    const handlers: [handler: TransportCallHandler, err: RegExp][] = [
      [
        () => {
          throw boom;
        },
        /^Error: boom$/,
      ],
      [async () => Promise.reject(boom), /^Error: boom$/],
      [() => 7 as never, /onCall must return a string or a Uint8Array, got number/],
      [async () => undefined as never, /onCall must return .*, got undefined/],
    ];
    for (const [handler, err] of handlers) {
      begin(ForwardingLines.near());
      keeper.host.onCall(handler);
      await rejected(called(""), "SIM_ERR_TRANSPORT_FAILED");
      assert.equal(keeper.log.length, 1);
      assert.match(String(keeper.log[0]?.err), err);
      assert.deepEqual(asker.log, []);
      assertNothingLeft();
    }
  });

  it("is rejected after its time limit, and its handler is told", async () => {
    const { calls, answer } = serving();
    await rejected(called("", { timeoutMs: 5 }), "SIM_ERR_TRANSPORT_TIMEOUT");
    lines.settle();
    assert.equal(calls[0]?.signal.aborted, true);
    assertNothingLeft();
    answer.resolve("too late");
    await turn();
    assertNothingLeft();
  });

  it("to the own address has a time limit, too", async () => {
    const { calls } = serving(asker);
    const answer = asker.host.call(asker.host.address, "", { timeoutMs: 5 });
    await rejected(answer, "SIM_ERR_TRANSPORT_TIMEOUT");
    assert.equal(calls[0]?.signal.aborted, true);
    assertNothingLeft();
  });

  it("can be aborted, which its handler learns", async () => {
    const { calls } = serving();
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error("the client is gone");
    const answer = called("", { signal });
    await turn();
    const seen = calls[0]?.signal;
    controller.abort(reason);
    await assert.rejects(answer, reason);
    lines.settle();
    assert.equal(seen?.aborted, true);
    await assert.rejects(called("", { signal }), reason);
    assert.equal(calls.length, 1);
    assertNothingLeft();
  });

  it("leaves no listener on a signal that outlives it", async () => {
    keeper.host.onCall(() => "");
    const { signal } = new AbortController();
    await called("", { signal });
    assert.deepEqual(getEventListeners(signal, "abort"), []);
  });

  it("is rejected when the thread at the address ends, and at once if it has ended", async () => {
    const { calls } = serving();
    const answer = called("");
    await turn();
    asker.calls.memberGone(2);
    assert.equal(asker.calls.size > 0, true);
    asker.calls.memberGone(1);
    await rejected(answer, "SIM_ERR_TRANSPORT_UNREACHABLE");
    // The generation is the old one until all threads know.
    await rejected(asker.host.call(keeper.host.address, ""), "SIM_ERR_TRANSPORT_UNREACHABLE");
    lines.ends[1].retire();
    await rejected(asker.host.call(keeper.host.address, ""), "SIM_ERR_TRANSPORT_UNREACHABLE");
    assert.equal(calls.length, 1);
  });

  it("is aborted when the thread that placed it ends", async () => {
    const { calls } = serving();
    void called("").catch(() => {});
    await turn();
    keeper.calls.memberGone(0);
    assert.equal(calls[0]?.signal.aborted, true);
    assert.equal(keeper.calls.size, 0);
  });

  it("is rejected when either shard closes, and from then on", async () => {
    const { calls } = serving();
    const waiting = called("");
    await turn();
    keeper.calls.close();
    lines.settle();
    await rejected(waiting, "SIM_ERR_TRANSPORT_UNREACHABLE");
    assert.equal(calls[0]?.signal.aborted, true);
    await rejected(called(""), "SIM_ERR_TRANSPORT_UNREACHABLE");
    begin(ForwardingLines.near());
    const later = serving();
    const other = called("");
    await turn();
    asker.calls.close();
    await rejected(other, "SIM_ERR_TRANSPORT_UNREACHABLE");
    lines.settle();
    assert.equal(later.calls[0]?.signal.aborted, true);
    await rejected(called(""), "SIM_ERR_TRANSPORT_UNREACHABLE");
    assertNothingLeft();
  });

  it("is rejected if there is no room on the way, and others go on", async () => {
    begin(ForwardingLines.near({ ringBytes: 4_096, overflowBytes: 65_536 }));
    keeper.host.onCall(() => "");
    const { address } = keeper.host;
    const answers = Array.from({ length: 400 }, async () => asker.host.call(address, ""));
    const outcomes = Promise.allSettled(answers);
    lines.settle();
    asker.calls.check(performance.now());
    keeper.calls.check(performance.now());
    lines.settle();
    const codes = (await within(outcomes, "all outcomes")).map((one) =>
      one.status === "rejected" ? (one.reason as { code: string }).code : "answered",
    );
    assert.deepEqual([...new Set(codes)].toSorted(), ["SIM_ERR_TRANSPORT_BUSY", "answered"]);
    assertNothingLeft();
  });

  it("is rejected if too many wait already", async () => {
    const { address } = asker.host;
    let served = 0;
    asker.host.onCall(async () => {
      served += 1;
      return new Promise(() => {});
    });
    for (let n = 0; n < MAX_CALLS; n += 1) void asker.host.call(address, "").catch(() => {});
    assert.equal(served, MAX_CALLS);
    await rejected(asker.host.call(address, ""), "SIM_ERR_TRANSPORT_BUSY");
    await rejected(asker.host.call(keeper.host.address, ""), "SIM_ERR_TRANSPORT_BUSY");
    assert.equal(served, MAX_CALLS);
    asker.calls.close();
    assertNothingLeft();
  });

  it("is rejected if the request or its answer is too long", async () => {
    const text = new Uint8Array(MAX_BYTES + 1);
    keeper.host.onCall(() => text);
    const { address } = keeper.host;
    await rejected(asker.host.call(address, text), "SIM_ERR_PAYLOAD_TOO_LARGE");
    await rejected(called(""), "SIM_ERR_PAYLOAD_TOO_LARGE");
    assertNothingLeft();
  });

  it("counts as held, and is given up if the node holds too much", async () => {
    const { calls } = serving();
    const answer = called("x".repeat(20_000));
    await turn();
    assert.ok(asker.calls.heldBytes >= 20_000);
    asker.calls.visitHeld((owner) => owner.shed());
    await rejected(answer, "SIM_ERR_TRANSPORT_BUSY");
    lines.settle();
    assert.equal(calls[0]?.signal.aborted, true);
    assert.equal(asker.calls.heldBytes, 0);
  });

  it("needs valid arguments", async () => {
    const { host } = asker;
    const call = host.call as (...args: readonly unknown[]) => Promise<unknown>;
    const cases: [args: readonly unknown[], message: string][] = [
      [[7, ""], "address must be a string, got number"],
      [["", {}], "request must be a string or a Uint8Array, got object"],
      [["", "", { timeoutMs: 0 }], "timeoutMs must be an integer from 1 to 3600000 (ms), got 0"],
      [["", "", { signal: {} }], "signal must be an AbortSignal, got object"],
    ];
    for (const [args, message] of cases) {
      await assert.rejects(call(...args), { code: "SIM_ERR_OPTION_INVALID", message });
    }
    const code = "SIM_ERR_DEFINITION_INVALID";
    const message = "handler of onCall must be a function, got undefined";
    assert.throws(() => host.onCall(undefined as never), { code, message });
    host.onCall(() => "");
    assert.throws(() => host.onCall(() => ""), {
      code,
      message: "onCall must be called once, got twice",
    });
  });
});

describe("a call of a custom transport to another node", () => {
  beforeEach(() => begin(ForwardingLines.far()));

  it("arrives there, and its answer returns, whatever their length", async () => {
    keeper.host.onCall((request) => request);
    for (const text of ["one", "é".repeat(50_000)]) assert.equal(await called(text), text);
    assertNothingLeft();
  });

  it("that is lost is rejected when it is not confirmed in time", async () => {
    keeper.host.onCall(() => "");
    lines.lost = [RECORD.request];
    const answer = called("", { timeoutMs: 60_000 });
    await turn();
    asker.calls.check(performance.now() + CONFIRM_MS - 1_000);
    assert.ok(asker.calls.size > 0);
    asker.calls.check(performance.now() + CONFIRM_MS + 1);
    await rejected(answer, "SIM_ERR_TRANSPORT_UNREACHABLE");
    assertNothingLeft();
  });

  it("that is confirmed may take as long as its time limit", async () => {
    const { answer } = serving();
    const pending = called("", { timeoutMs: 60_000 });
    await turn();
    for (const { calls } of [asker, keeper]) calls.check(performance.now() + CONFIRM_MS * 2);
    answer.resolve("done");
    await turn();
    lines.settle();
    assert.equal(await pending, "done");
    assertNothingLeft();
  });

  it("whose answer is lost is rejected after its time limit", async () => {
    keeper.host.onCall(() => "");
    lines.lost = [RECORD.answer];
    await rejected(called("", { timeoutMs: 5 }), "SIM_ERR_TRANSPORT_TIMEOUT");
    assertNothingLeft();
  });

  it("leaves nothing there if the word that it was given up is lost", async () => {
    const { calls } = serving();
    lines.lost = [RECORD.cancel];
    await rejected(called("", { timeoutMs: 5 }), "SIM_ERR_TRANSPORT_TIMEOUT");
    lines.settle();
    assert.equal(calls[0]?.signal.aborted, false);
    keeper.calls.check(performance.now() + 10);
    assert.equal(calls[0]?.signal.aborted, true);
    assertNothingLeft();
  });

  it("to a thread that has ended is rejected at once", async () => {
    const { address } = keeper.host;
    begin(ForwardingLines.far({}, 1));
    keeper.host.onCall(() => "");
    await rejected(called("", { timeoutMs: 60_000 }, address), "SIM_ERR_TRANSPORT_UNREACHABLE");
    assertNothingLeft();
  });

  it("is rejected if that node's shard closes", async () => {
    serving();
    const answer = called("", { timeoutMs: 60_000 });
    await turn();
    keeper.calls.close();
    lines.settle();
    await rejected(answer, "SIM_ERR_TRANSPORT_UNREACHABLE");
    assertNothingLeft();
  });

  it("does not end with a thread with the same number on this node", async () => {
    const { answer } = serving();
    const pending = called("");
    await turn();
    asker.calls.memberGone(0);
    keeper.calls.memberGone(0);
    answer.resolve("done");
    await turn();
    lines.settle();
    assert.equal(await pending, "done");
  });
});
