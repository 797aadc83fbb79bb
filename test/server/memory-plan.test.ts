import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { memoryAdapter } from "../../src/pubsub/adapters/memory.ts";
import {
  LINK_MEMBER,
  MAIN_MEMBER,
  makeNodeMemory,
  MemberNumbers,
} from "../../src/server/memory-plan.ts";
import { smallOptions } from "../support/options.ts";
import { turn } from "../support/world.ts";

describe("the memory of a node", () => {
  it("has room for main, the link, each shard, a spare and a keeper of histories", () => {
    const memory = makeNodeMemory(smallOptions({ shards: 4 }), undefined);
    assert.equal(memory.exchange.members, 8);
    assert.equal(memory.exchange.rings.length, 8);
    assert.deepEqual(memory.indexLayout, { indexBits: 8, members: 8 });
    assert.deepEqual(memory.keepers, [7]);
    assert.equal(memory.index.byteLength, 256 * 4);
  });

  it("has two words in each slot of the index for more than 32 members", () => {
    const memory = makeNodeMemory(smallOptions({ shards: 30 }), undefined);
    assert.equal(memory.index.byteLength, 256 * 8);
  });

  it("has a link and its name if there is an adapter", () => {
    const adapter = memoryAdapter({ hub: "h", nodeName: "ant" });
    const { link, nodeName } = makeNodeMemory(smallOptions(), adapter);
    assert.deepEqual([link, nodeName], [LINK_MEMBER, "ant"]);
  });

  it("has no link and the name of the option if there is none", () => {
    const options = smallOptions();
    const { link, nodeName } = makeNodeMemory(options, undefined);
    assert.deepEqual([link, nodeName], [-1, options.nodeName]);
  });

  it("has a random seed, an int32", () => {
    const seeds = Array.from(
      { length: 8 },
      () => makeNodeMemory(smallOptions(), undefined).hashSeed,
    );
    assert.ok(new Set(seeds).size > 1);
    for (const seed of seeds) assert.equal(seed, seed | 0);
  });

  it("can be sent to another thread as it is", () => {
    const memory = makeNodeMemory(smallOptions(), undefined);
    const sent = structuredClone(memory);
    new Int32Array(memory.index)[3] = 7;
    assert.equal(new Int32Array(sent.index)[3], 7);
  });
});

describe("the numbers of members", () => {
  it("are assigned to each shard once, after main's and the link's, with one spare", async () => {
    const numbers = new MemberNumbers(2);
    const taken = [
      await numbers.take(60_000),
      await numbers.take(60_000),
      await numbers.take(60_000),
    ];
    assert.deepEqual(taken, [2, 3, 4]);
    assert.ok(!taken.includes(MAIN_MEMBER) && !taken.includes(LINK_MEMBER));
  });

  it("are waited for in order if none is free", async () => {
    const numbers = new MemberNumbers(1);
    await numbers.take(60_000);
    await numbers.take(60_000);
    const given: [string, number | undefined][] = [];
    void numbers.take(60_000).then((member) => given.push(["first", member]));
    void numbers.take(60_000).then((member) => given.push(["second", member]));
    await turn();
    assert.deepEqual(given, []);
    numbers.free(3);
    numbers.free(2);
    await turn();
    assert.deepEqual(given, [
      ["first", 3],
      ["second", 2],
    ]);
  });

  it("are waited for up to a time limit, and are then not assigned", async () => {
    const numbers = new MemberNumbers(1);
    await numbers.take(60_000);
    await numbers.take(60_000);
    await assert.rejects(numbers.take(10), {
      code: "SIM_ERR_SHARD_BUSY",
      message:
        "a member number must become free within 10 (ms), got none: a shard is too busy to forget one that ended",
    });
    numbers.free(3);
    assert.equal(await numbers.take(60_000), 3);
  });

  it("are assigned to nobody once it is closed", async () => {
    const numbers = new MemberNumbers(1);
    await numbers.take(60_000);
    await numbers.take(60_000);
    const waiting = numbers.take(60_000);
    numbers.close();
    assert.equal(await waiting, undefined);
    numbers.free(2);
    assert.equal(await numbers.take(60_000), undefined);
  });
});
