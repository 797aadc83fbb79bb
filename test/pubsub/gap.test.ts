import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { makeError } from "../../src/errors.ts";
import type { CounterName } from "../../src/memory/counters-layout.ts";
import { topicHash } from "../../src/memory/topic-hash.ts";
import type {
  Adapter,
  AdapterReports,
  RemoteBroadcastHandler,
  RemoteGapHandler,
} from "../../src/pubsub/adapter.ts";
import { packGap, unpackGap } from "../../src/pubsub/gap.ts";
import { Link } from "../../src/pubsub/link.ts";
import { TestNode } from "../support/members.ts";
import type { TestMember } from "../support/members.ts";

const LINK = 1;

/** How another node maps topics to slots, different from the node under test. */
const ELSEWHERE = { seed: 99, indexBits: 12 };

function slotElsewhere(topic: string): number {
  return topicHash(ELSEWHERE.seed, topic) >>> (32 - ELSEWHERE.indexBits);
}

function isIn(gap: Uint8Array): (topic: string) => boolean {
  return unpackGap(gap, 0, gap.length).isConcerned;
}

/** An adapter for the test. */
class RecordingAdapter implements Adapter {
  readonly nodeName = "here";
  /** Topics of the broadcasts that were sent, and the gaps. */
  readonly sent: (string | Uint8Array)[] = [];
  onBroadcast: RemoteBroadcastHandler = () => {};
  onGap: RemoteGapHandler = () => {};
  isDown = false;
  /** Error that it throws while it is down. */
  fault: Error = new Error("not connected");

  reports: AdapterReports | undefined;

  async start(
    onBroadcast: RemoteBroadcastHandler,
    onGap: RemoteGapHandler,
    reports: AdapterReports,
  ): Promise<void> {
    this.onBroadcast = onBroadcast;
    this.onGap = onGap;
    this.reports = reports;
  }

  broadcast(topic: string): void {
    this.#send(topic);
  }

  directBroadcast(_node: string, topic: string): void {
    this.#send(topic);
  }

  gap(gap: Uint8Array): void {
    this.#send(gap);
  }

  async stop(): Promise<void> {}

  #send(what: string | Uint8Array): void {
    if (this.isDown) throw this.fault;
    this.sent.push(what);
  }
}

interface Linked {
  readonly host: TestMember;
  readonly adapter: RecordingAdapter;
  readonly errors: unknown[];
  /** Counters of the link. */
  readonly counter: (name: CounterName) => number;
  /** Topics whose `missed` was called on the host's listeners. */
  readonly missed: string[];
  readonly stop: () => Promise<void>;
}

/** A node with a host and a link. The host listens to topics. */
async function linked(topics: readonly string[] = []): Promise<Linked> {
  const node = new TestNode({
    members: 2,
    link: LINK,
    ringBytes: 256,
    indexBits: 16,
    overflowBytes: 2_048,
  });
  const host = node.member(0);
  const adapter = new RecordingAdapter();
  const errors: unknown[] = [];
  const missed: string[] = [];
  for (const topic of topics) {
    host.pubsub.subscribe(topic, { receive: () => {}, missed: (which) => void missed.push(which) });
  }
  const link = new Link(node.bare(LINK, errors), adapter);
  await link.start();
  const counter = (name: CounterName): number => node.counter(LINK, name);
  return { host, adapter, errors, counter, missed, stop: () => link.stop() };
}

/** Lets host and link run until a condition is true. */
async function until(host: TestMember, what: string, isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!isSo()) {
    assert.ok(performance.now() < endMs, `${what} did not come`);
    host.drain();
    await setImmediate();
  }
}

/** Broadcasts until the host has lost something on its way to the link. */
function lap(host: TestMember, topic: string): void {
  for (let lapped = host.counter("lapped"); host.counter("lapped") === lapped;) {
    host.broadcast(topic, "event");
  }
}

function throwMissed(): never {
  throw new Error("missed");
}

describe("A gap", () => {
  it("concerns the topics whose slots it contains, by its own node's seed", () => {
    const gap = packGap(ELSEWHERE, Int32Array.of(slotElsewhere("room:1"), slotElsewhere("room:2")));
    const others = Array.from({ length: 50 }, (_, n) => `other:${n}`);
    assert.deepEqual(["room:1", "room:2", ...others].filter(isIn(gap)), ["room:1", "room:2"]);
  });

  it("can be read at any offset, and keeps none of the bytes", () => {
    const gap = packGap(ELSEWHERE, Int32Array.of(slotElsewhere("room:1")));
    for (const offset of [1, 2, 3, 4]) {
      const bytes = Buffer.alloc(20);
      bytes.set(gap, offset);
      const { isConcerned } = unpackGap(bytes, offset, gap.length);
      bytes.fill(0);
      assert.deepEqual([isConcerned("room:1"), isConcerned("room:2")], [true, false]);
    }
  });

  it("concerns all topics if there were too many slots, or if it is empty", () => {
    for (const gap of [packGap(ELSEWHERE, "all"), new Uint8Array(0)]) {
      assert.equal(isIn(gap)("whatever"), true);
    }
  });
});

describe("A link", () => {
  it("reports to other nodes what was lost on the way to it, before anything later", async () => {
    const { host, adapter, stop } = await linked();
    lap(host, "room:lost");
    await until(host, "room for all", () => host.counter("overflowBytes") === 0);
    host.broadcast("room:after", "event");
    await until(host, "the broadcast after", () => adapter.sent.includes("room:after"));
    const gaps = adapter.sent.filter((sent) => typeof sent !== "string");
    assert.equal(gaps.length, 1);
    const [gap] = gaps;
    assert.ok(gap);
    assert.deepEqual([isIn(gap)("room:lost"), isIn(gap)("room:after")], [true, false]);
    assert.deepEqual(adapter.sent.slice(-2), [gap, "room:after"]);
    await stop();
  });

  it("reports to other nodes what the adapter could not send, once it can, before the next broadcast", async () => {
    const { host, adapter, errors, stop } = await linked();
    adapter.isDown = true;
    host.broadcast("room:lost", "event");
    host.broadcast("room:2", "event");
    await until(host, "both errors", () => errors.length === 2);
    adapter.isDown = false;
    host.broadcast("room:after", "event");
    await until(host, "the next broadcast", () => adapter.sent.includes("room:after"));
    const [gap, after] = adapter.sent;
    assert.ok(gap instanceof Uint8Array);
    assert.deepEqual(["room:lost", "room:2", "room:after"].map(isIn(gap)), [true, true, false]);
    assert.equal(after, "room:after");
    await stop();
  });

  it("reports that even if nothing is sent later", async () => {
    const { host, adapter, errors, stop } = await linked();
    adapter.isDown = true;
    host.broadcast("room:lost", "event");
    await until(host, "the error", () => errors.length === 1);
    adapter.isDown = false;
    await until(host, "the gap", () => adapter.sent.length > 0);
    assert.ok(adapter.sent[0] instanceof Uint8Array);
    await stop();
  });

  it("reports to other nodes what the adapter accepted and then lost", async () => {
    const { adapter, counter, stop } = await linked();
    adapter.reports?.onLost(["room:1", "room:2", "room:1"]);
    const [gap] = adapter.sent;
    assert.ok(gap instanceof Uint8Array);
    assert.deepEqual(["room:1", "room:2", "room:3"].map(isIn(gap)), [true, true, false]);
    assert.equal(counter("lostToNodes"), 3);
    adapter.reports?.onLost("all");
    const all = adapter.sent[1];
    assert.ok(all instanceof Uint8Array && isIn(all)("room:3"));
    await stop();
  });

  it("counts what a disconnected adapter refuses, logs nothing, and reports once it is connected", async () => {
    const { host, adapter, errors, counter, stop } = await linked();
    adapter.isDown = true;
    adapter.fault = makeError("SIM_ERR_NOT_SENT", "no connection");
    adapter.reports?.onDisconnected("redis://h", new Error("gone"));
    assert.equal(counter("linkDown"), 1);
    host.broadcast("room:lost", "event");
    host.broadcast("room:2", "event");
    await until(host, "both", () => counter("lostToNodes") === 2);
    adapter.isDown = false;
    adapter.reports?.onConnected("redis://h");
    // Sent within the call, without waiting for the next attempt.
    const [gap] = adapter.sent;
    assert.ok(gap instanceof Uint8Array);
    assert.deepEqual(["room:lost", "room:2", "room:3"].map(isIn(gap)), [true, true, false]);
    assert.deepEqual([errors, counter("linkDown"), counter("sentToNodes")], [[], 0, 0]);
    host.broadcast("room:3", "event");
    await until(host, "the next broadcast", () => adapter.sent.includes("room:3"));
    assert.deepEqual([adapter.sent.length, counter("sentToNodes")], [2, 1]);
    await stop();
  });

  it("tells the topics concerned by another node's gap, and no others", async () => {
    const { host, adapter, missed, stop } = await linked(["room:1", "room:2", "room:3"]);
    adapter.onGap(packGap(ELSEWHERE, Int32Array.of(slotElsewhere("room:2"))));
    host.drain();
    assert.deepEqual(missed.splice(0), ["room:2"]);
    adapter.onGap(new Uint8Array(0));
    host.drain();
    assert.deepEqual(missed, ["room:1", "room:2", "room:3"]);
    await stop();
  });

  it("tells the topic of a broadcast that is too large for this node", async () => {
    const { host, adapter, errors, missed, stop } = await linked(["room:1", "room:2"]);
    const envelope = new Uint8Array(4_000).fill(1);
    adapter.onBroadcast("room:2", envelope);
    host.drain();
    assert.deepEqual(missed, ["room:2"]);
    assert.match(errors.join(), /must fit into overflowBytes, got 4000 \(bytes\)/);
    await stop();
  });

  it("tells all topics if a gap itself was lost", async () => {
    const { host, adapter, missed, stop } = await linked(["room:1", "room:2"]);
    const gap = packGap(ELSEWHERE, Int32Array.of(slotElsewhere("room:2")));
    for (let n = 0; n < 40; n += 1) adapter.onGap(gap);
    host.drain();
    await until(host, "what all are told", () => missed.includes("room:1"));
    await stop();
  });
});

describe("The listeners of lost broadcasts", () => {
  it("are all told, even if one of them throws", () => {
    const member = new TestNode().member(0);
    const told: string[] = [];
    member.pubsub.subscribe("room:1", { receive: () => {}, missed: throwMissed });
    for (const topic of ["room:1", "room:2"]) {
      member.pubsub.subscribe(topic, {
        receive: () => {},
        missed: (which) => void told.push(which),
      });
    }
    member.pubsub.onLapped(1, "all");
    assert.deepEqual(told, ["room:1", "room:2"]);
    assert.equal(member.errors.length, 1);
  });
});
