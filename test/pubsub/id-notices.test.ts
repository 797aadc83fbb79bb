import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { IdNotices, type NoticePace } from "../../src/pubsub/id-notices.ts";
import { TopicEntry, type Listener } from "../../src/pubsub/registry.ts";
import { within } from "../support/deadline.ts";
import { Deferred } from "../support/world.ts";

const PACE: NoticePace = {
  drainBatch: 100,
  drainIntervalMs: 1_000,
  drainLimitMs: 30_000,
  shards: 2,
};

/** Topics with one listener each. */
function entries(count: number, isOfId = true): TopicEntry<unknown>[] {
  return Array.from({ length: count }, (_, n) => {
    const entry = new TopicEntry(`users:${n}`, n);
    const listener: Listener = { receive() {}, missed() {}, isOfId };
    entry.listeners = new Map([[listener, 1]]);
    return entry;
  });
}

/** Adds topics, and waits until their listeners are told. Returns their topics and how long it took (ms). */
async function told(
  pace: NoticePace,
  count: number,
  add: (notices: IdNotices) => void,
): Promise<{ readonly topics: readonly string[]; readonly tookMs: number }> {
  const topics: string[] = [];
  const startMs = performance.now();
  const all = new Deferred<void>();
  const notices = new IdNotices(pace, (topic) => {
    topics.push(topic);
    if (topics.length === count) all.resolve();
  });
  add(notices);
  await within(all.promise, `${count} notices`, 20_000);
  notices.stop();
  return { topics, tookMs: performance.now() - startMs };
}

describe("Notices to IDs", () => {
  it("are spread over the time that a drain would take", async () => {
    const all = entries(20);
    // A shard of two may tell 50 a second.
    const { topics, tookMs } = await told(PACE, 20, (notices) => notices.addAll(all));
    assert.deepEqual(
      topics,
      all.map(({ topic }) => topic),
    );
    assert.ok(tookMs > 200, `20 took ${tookMs} ms`);
  });

  it("are faster if they would take longer than a drain may", async () => {
    const pace = { ...PACE, drainBatch: 1, drainLimitMs: 100 };
    const { tookMs } = await told(pace, 50, (notices) => notices.addAll(entries(50)));
    assert.ok(tookMs < 10_000, `50 took ${tookMs} ms`);
  });

  it("are all sent at once if drains have no interval", async () => {
    let first = 0;
    const topics: string[] = [];
    const sent = new Promise<void>((resolve) => {
      const notices = new IdNotices({ ...PACE, drainIntervalMs: 0 }, (topic) => {
        if (topics.length === 0) queueMicrotask(() => (first = topics.length));
        if (topics.push(topic) === 100) queueMicrotask(resolve);
      });
      notices.addAll(entries(100));
    });
    // The test itself keeps the process alive.
    const alive = setInterval(() => {}, 1_000);
    await within(sent, "100 notices", 20_000);
    clearInterval(alive);
    assert.equal(first, 100);
  });

  it("reach a listener once, however often it is added, and no listeners of other topics", async () => {
    const all = entries(3);
    const { topics } = await told({ ...PACE, drainBatch: 1_000 }, 3, (notices) => {
      notices.addAll([...entries(5, false), ...all]);
      notices.addAll(all);
    });
    assert.equal(topics.length, 3);
  });
});
