import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Adapter, RemoteBroadcastHandler } from "../../src/pubsub/adapter.ts";
import type { Broadcast } from "../../src/pubsub/envelope.ts";
import { KIND } from "../../src/pubsub/envelope.ts";
import { kindAndFlags, kindOf } from "../../src/pubsub/exchange-layout.ts";
import { CONTROL_SLOT } from "../../src/pubsub/exchange.ts";
import { Link } from "../../src/pubsub/link.ts";
import { packMail, unpackMail } from "../../src/pubsub/node-mail.ts";
import { within } from "../support/deadline.ts";
import { TestNode } from "../support/members.ts";
import type { TestMember } from "../support/members.ts";

const LINK = 2;
const MAIL_TYPE = kindAndFlags(KIND.mail, 0);

/** An adapter for the test: records what the link sends, and delivers what the test passes. */
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

  // Gaps are tested in gap.test.ts.
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

/** A node with one member and a link that has started. */
async function makeLinked(): Promise<LinkedNode> {
  const node = new TestNode({ link: LINK });
  const adapter = new RecordingAdapter();
  const errors: unknown[] = [];
  const link = new Link(node.bare(LINK, errors), adapter);
  await link.start();
  return { member: node.member(0), adapter, link, errors };
}

/** Waits until the link has sent `count` broadcasts. */
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
  it("passes each broadcast for all nodes to the adapter once, with its topic", async () => {
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

  it("passes a broadcast for one node to the adapter with the node's name", async () => {
    const { member, adapter, link } = await makeLinked();
    member.directBroadcast("fär", "t", "e", { n: 1 });
    await sent(adapter, 1);
    await link.stop();
    assert.deepEqual(
      adapter.sent.map(({ to, topic }) => [to, topic]),
      [["fär", "t"]],
    );
  });

  it("delivers broadcasts of another node to this node's subscribers, under this node's hash", async () => {
    const far = await makeLinked();
    const near = await makeLinked();
    const heard = heardBy(near.member, "t");
    far.member.broadcast("t", "e", { n: 1 });
    far.member.directBroadcast("near", "t", "e", { n: 2 });
    await sent(far.adapter, 2);
    for (const { topic, bytes } of far.adapter.sent) {
      // Another node has another seed, so its hash means nothing here.
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

  it("delivers nothing if the node has no subscriber", async () => {
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
    adapter.handler("t", new Uint8Array(70_000).fill(1));
    assert.match(
      String(errors[0]),
      /a broadcast of another node must fit into overflowBytes, got 70000 \(bytes\)/,
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

  it("delivers mail to the node and the member that it names", async () => {
    const far = await makeLinked();
    const near = await makeLinked();
    const mail = packMail({ node: "near", member: 0 }, { node: "far", member: 0 }, Buffer.of(1, 2));
    far.member.exchange.send(LINK, CONTROL_SLOT, MAIL_TYPE, mail, mail.length);
    await sent(far.adapter, 1);
    const got: string[] = [];
    near.member.exchange.attach({
      onRecord: (_from, type, bytes, offset, length) => {
        assert.equal(kindOf(type), KIND.mail);
        const taken = bytes.subarray(offset, offset + length);
        const { from, bodyOffset } = unpackMail(taken);
        got.push(`${from.node} ${taken.subarray(bodyOffset).join(" ")}`);
      },
      onLapped: () => assert.fail("mail was lapped"),
      onError: (error) => assert.fail(String(error)),
    });
    // A subscriber to all topics does not get it.
    const heard = heardBy(near.member, "mail");
    const [{ to, topic, bytes } = assert.fail("nothing was sent")] = far.adapter.sent;
    near.adapter.handler(topic, bytes);
    near.member.drain();
    assert.deepEqual([to, topic, got, heard], ["near", "mail", ["far 1 2"], []]);
    await Promise.all([far.link.stop(), near.link.stop()]);
    assert.deepEqual([far.errors, near.errors], [[], []]);
  });

  it("drops mail for members that do not exist, and reports mail that finds no room", async () => {
    const { adapter, link, errors } = await makeLinked();
    const from = { node: "far", member: 0 };
    // The link itself, a member without a thread, and two numbers that do not exist.
    for (const member of [LINK, 1, 3, 65_535]) {
      for (let count = 0; count < 10; count += 1) {
        adapter.handler("mail", packMail({ node: "here", member }, from, Buffer.alloc(8_192)));
      }
    }
    assert.deepEqual(errors, []);
    // Nobody drains, so the ring and the reserve fill up.
    for (let count = 0; count < 10 && errors.length === 0; count += 1) {
      adapter.handler("mail", packMail({ node: "here", member: 0 }, from, Buffer.alloc(8_192)));
    }
    const message = "mail of another node could not be delivered, member=0";
    assert.deepEqual(errors, [new Error(message)]);
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
