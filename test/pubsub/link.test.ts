import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Adapter, RemoteBroadcastHandler } from "../../src/pubsub/adapter.ts";
import type { Broadcast } from "../../src/pubsub/envelope.ts";
import { Link } from "../../src/pubsub/link.ts";
import { within } from "../support/deadline.ts";
import { TestNode } from "../support/members.ts";
import type { TestMember } from "../support/members.ts";

const LINK = 2;

/** The test's end of the port: it notes what the link sends, and brings what the test says. */
class RecordingAdapter implements Adapter {
  readonly nodeName = "here";
  readonly sent: {
    readonly to: string | undefined;
    readonly topic: string;
    readonly bytes: Uint8Array;
  }[] = [];
  handler: RemoteBroadcastHandler = () => assert.fail("not started");
  isStopped = false;
  fails = false;
  onSent: () => void = () => {};

  async start(handler: RemoteBroadcastHandler): Promise<void> {
    this.handler = handler;
  }

  broadcast(topic: string, envelope: Uint8Array): void {
    this.#note(undefined, topic, envelope);
  }

  directBroadcast(node: string, topic: string, envelope: Uint8Array): void {
    this.#note(node, topic, envelope);
  }

  // What becomes of gaps is looked at in gap.test.ts.
  gap(): void {}

  async stop(): Promise<void> {
    this.isStopped = true;
  }

  #note(to: string | undefined, topic: string, envelope: Uint8Array): void {
    this.onSent();
    if (this.fails) throw new Error("not connected");
    // The link's bytes are valid during the call only.
    this.sent.push({ to, topic, bytes: Uint8Array.from(envelope) });
  }
}

interface LinkedNode {
  readonly member: TestMember;
  readonly adapter: RecordingAdapter;
  readonly link: Link;
  readonly errors: unknown[];
}

/** A node with one member and a link, which has started. */
async function makeLinked(seed?: number): Promise<LinkedNode> {
  const node = new TestNode({ link: LINK });
  const adapter = new RecordingAdapter();
  const errors: unknown[] = [];
  const { exchange, index } = node.member(LINK);
  const link = new Link({
    adapter,
    exchange,
    index,
    hashSeed: seed ?? node.seed,
    onError: (error) => void errors.push(error),
    onLapped: () => {},
    onGap: () => {},
  });
  await link.start();
  return { member: node.member(0), adapter, link, errors };
}

/** Waits until the link has sent so many. */
async function sent(adapter: RecordingAdapter, count: number): Promise<void> {
  await within(
    new Promise<void>((resolve) => {
      const look = (): void => {
        if (adapter.sent.length >= count) resolve();
        else setImmediate(look);
      };
      look();
    }),
    `broadcast ${count} to other nodes`,
  );
}

function heardBy(member: TestMember, topic: string): Broadcast[] {
  const heard: Broadcast[] = [];
  member.pubsub.subscribe(topic, {
    receive: (broadcast) => void heard.push(broadcast),
    missed: () => {},
  });
  return heard;
}

describe("the link", () => {
  it("gives each broadcast for all nodes to the adapter once, with its topic", async () => {
    const { member, adapter, link } = await makeLinked();
    heardBy(member, 'räum"1');
    member.broadcast('räum"1', "e", { n: 1 });
    member.broadcast("nobody", "e", { n: 2 });
    member.broadcast("t", "e", { n: 3 }, "node");
    await sent(adapter, 2);
    await link.stop();
    assert.deepEqual(
      adapter.sent.map(({ to, topic }) => [to, topic]),
      [
        [undefined, 'räum"1'],
        [undefined, "nobody"],
      ],
    );
  });

  it("gives a broadcast for one node to the adapter with the node's name", async () => {
    const { member, adapter, link } = await makeLinked();
    member.directBroadcast("fär", "t", "e", { n: 1 });
    await sent(adapter, 1);
    await link.stop();
    assert.deepEqual(
      adapter.sent.map(({ to, topic }) => [to, topic]),
      [["fär", "t"]],
    );
  });

  it("brings what another node sent to this node's subscribers, under this node's hash", async () => {
    const far = await makeLinked();
    const near = await makeLinked();
    const heard = heardBy(near.member, "t");
    far.member.broadcast("t", "e", { n: 1 });
    far.member.directBroadcast("near", "t", "e", { n: 2 });
    await sent(far.adapter, 2);
    for (const { topic, bytes } of far.adapter.sent) {
      // Another node has another seed: its hash means nothing here.
      bytes.set([1, 2, 3, 4], 0);
      near.adapter.handler(topic, bytes);
    }
    near.member.drain();
    assert.deepEqual(
      heard.map(({ payload }) => payload),
      [{ n: 1 }, { n: 2 }],
    );
    await Promise.all([far.link.stop(), near.link.stop()]);
    assert.deepEqual(near.adapter.sent, []);
  });

  it("brings nothing to a node that has no subscriber", async () => {
    const far = await makeLinked();
    const near = await makeLinked();
    far.member.broadcast("t", "e", {});
    await sent(far.adapter, 1);
    for (const { topic, bytes } of far.adapter.sent) near.adapter.handler(topic, bytes);
    near.member.drain();
    assert.equal(near.member.counter("recordsWithoutSubscriber"), 0);
    await Promise.all([far.link.stop(), near.link.stop()]);
  });

  it("reports a broadcast that is too large for this node, and goes on", async () => {
    const { member, adapter, link, errors } = await makeLinked();
    const heard = heardBy(member, "t");
    adapter.handler("t", new Uint8Array(70_000));
    assert.match(
      String(errors[0]),
      /a broadcast of another node is too large, got 70000 \(bytes\)/,
    );
    member.broadcast("t", "e", { n: 1 });
    assert.equal(heard.length, 1);
    await link.stop();
  });

  it("reports what the adapter throws, and goes on", async () => {
    const { member, adapter, link, errors } = await makeLinked();
    adapter.fails = true;
    const failed = new Promise<void>((resolve) => {
      adapter.onSent = resolve;
    });
    member.broadcast("t", "e", { n: 1 });
    await within(failed, "the call that fails");
    adapter.fails = false;
    member.broadcast("t", "e", { n: 2 });
    await sent(adapter, 1);
    assert.deepEqual(errors, [new Error("not connected")]);
    await link.stop();
  });

  it("sends what is left before it stops", async () => {
    const { member, adapter, link } = await makeLinked();
    for (let n = 0; n < 5; n += 1) member.broadcast("t", "e", { n });
    await link.stop();
    assert.equal(adapter.sent.length, 5);
    assert.equal(adapter.isStopped, true);
  });
});
