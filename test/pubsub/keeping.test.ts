import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { answerLimitsOf } from "../../src/pubsub/keeping.ts";
import type { Listener } from "../../src/pubsub/registry.ts";
import { BASE, KeptNode } from "../support/kept-node.ts";

const TOPIC = "room:1";

describe("A publish", () => {
  it("resolves if it was kept, and rejects if it was lost on its way", async () => {
    const node = new KeptNode({ ringBytes: 2_048, overflowBytes: 6_000, history: { size: 1_000 } });
    const host = node.node.member(0);
    node.join(host.pubsub);
    const COUNT = 200;
    const pad = "x".repeat(200);
    let settled = 0;
    const outcomes = Array.from({ length: COUNT }, async (_, n) => {
      try {
        // Now and then the keeper reads, so that what was lost lies between what was kept.
        if (n % 70 === 69) node.drain();
        const { offset, epoch } = await host.pubsub.publish(TOPIC, "said", { n, pad }, undefined);
        assert.equal(epoch, node.model(TOPIC).epoch);
        return Number(offset);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "SIM_ERR_NOT_KEPT");
        return undefined;
      } finally {
        settled += 1;
      }
    });
    while (settled < COUNT) {
      node.drain();
      host.drain();
      await setImmediate();
    }
    const offsets = await Promise.all(outcomes);
    const { messages } = node.model(TOPIC);
    const keptAt = new Map(
      messages.map((message, at) => [(message?.payload as { n?: number })?.n, BASE + at + 1]),
    );
    for (const [n, offset] of offsets.entries())
      assert.equal(offset, keptAt.get(n), `message ${n}`);
    const rejected = offsets.filter((offset) => offset === undefined).length;
    assert.ok(rejected > 20 && rejected < COUNT - 20, `${rejected} rejected`);
    assert.ok(messages.includes(undefined));
    node.stop();
  });

  it("rejects if its keeper ends", async () => {
    const node = new KeptNode();
    const host = node.node.member(0);
    node.join(host.pubsub);
    const kept = host.pubsub.publish(TOPIC, "said", {}, undefined);
    node.replace();
    await assert.rejects(kept, { code: "SIM_ERR_NOT_KEPT" });
    node.stop();
  });

  it("rejects if the message is larger than its topic may be, which all others see", async () => {
    const node = new KeptNode({ history: { maxBytes: 300 } });
    const host = node.node.member(0);
    node.join(host.pubsub);
    const heard: unknown[] = [];
    host.pubsub.listen(TOPIC, ({ offset }) => heard.push(offset), assert.fail);
    const large = host.pubsub.publish(TOPIC, "said", { pad: "x".repeat(400) }, undefined);
    node.drain();
    host.drain();
    await assert.rejects(large, { code: "SIM_ERR_NOT_KEPT", message: /maxBytes of its topic/ });
    // Live subscribers get it, and its position is burned.
    assert.deepEqual(heard, [String(BASE + 1)]);
    assert.deepEqual(node.model(TOPIC).messages, [undefined]);
    node.stop();
  });
});

describe("A thread with the number of an earlier one", () => {
  it("does not take answers that were meant for that one", async () => {
    const node = new KeptNode({
      ringBytes: 2_048,
      overflowBytes: 16_000,
      history: { size: 1_000 },
    });
    const earlier = node.node.member(0);
    node.join(earlier.pubsub);
    // It reads no answers, so the keeper holds those that find no room.
    for (let n = 0; n < 80; n += 1) {
      void earlier.pubsub.publish(TOPIC, "said", { n: -1 }, undefined).catch(() => {});
      if (n % 10 === 9) node.drain();
    }
    const { head } = node.model(TOPIC);
    node.member.retire(0, false);
    node.member.exchange.resetMember(0);
    const later = node.node.member(0);
    node.join(later.pubsub);
    const COUNT = 55;
    const kept = Array.from({ length: COUNT }, (_, n) =>
      later.pubsub.publish(TOPIC, "said", { n }, undefined),
    );
    // The answers that the keeper held arrive first.
    while (later.exchange.drainNow() === 0) await setImmediate();
    let areSettled = false;
    const all = Promise.all(kept).finally(() => (areSettled = true));
    while (!areSettled) {
      node.drain();
      later.drain();
      await setImmediate();
    }
    const offsets = (await all).map(({ offset }) => Number(offset));
    assert.deepEqual(
      offsets,
      offsets.map((_, n) => head + 1 + n),
    );
    node.stop();
  });
});

describe("A broadcast that leaves somebody out", () => {
  it("leaves out that subscriber, and does not keep it in memory", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const node = new KeptNode();
    const host = node.node.member(0);
    node.join(host.pubsub);
    const heard: string[] = [];
    const subscribe = (name: string): Listener => {
      const listener: Listener = { receive: () => heard.push(name), missed: assert.fail };
      host.pubsub.subscribe(TOPIC, listener);
      return listener;
    };
    subscribe("other");
    let sender: Listener | undefined = subscribe("sender");
    const seen = new WeakRef(sender);
    for (let at = 0; at < 2; at += 1) {
      host.pubsub.broadcast(TOPIC, "said", {}, "cluster", sender);
      node.drain();
      host.drain();
    }
    assert.deepEqual(heard, ["other", "other"]);
    host.pubsub.unsubscribe(TOPIC, sender);
    sender = undefined;
    // What was looked at stays until the current turn of the event loop has ended.
    await setImmediate();
    collect();
    assert.equal(seen.deref(), undefined);
    node.stop();
  });
});

describe("answers", () => {
  it("that are asked for at a time take half of what may wait for a member", () => {
    const DEFAULTS = { overflowBytes: 16_777_216, overflowTotalBytes: 67_108_864 };
    assert.deepEqual(answerLimitsOf(DEFAULTS, 6), { maxAnswerBytes: 65_536, maxPulls: 32 });
    const SMALLEST = { overflowBytes: 65_536, overflowTotalBytes: 65_536 };
    const { maxAnswerBytes, maxPulls } = answerLimitsOf(SMALLEST, 8);
    assert.deepEqual([maxAnswerBytes, maxPulls], [1_024, 4]);
    assert.ok(maxAnswerBytes * maxPulls * 8 * 2 <= SMALLEST.overflowTotalBytes);
  });
});
