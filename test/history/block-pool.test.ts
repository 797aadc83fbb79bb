import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { BlockPool } from "../../src/history/block-pool.ts";
import { Scratch } from "../../src/history/scratch.ts";

const NONE = -1;

/** Takes blocks and links them to a chain, in the given order of the numbers taken. */
function chain(pool: BlockPool, blocks: readonly number[]): void {
  for (const [at, block] of blocks.entries()) pool.setNext(block, blocks[at + 1] ?? NONE);
}

function taken(pool: BlockPool, count: number): number[] {
  return Array.from({ length: count }, () => pool.take());
}

describe("BlockPool", () => {
  it("numbers blocks through its slabs, and allocates a slab when it is needed", () => {
    const pool = new BlockPool(5, 1);
    assert.equal(pool.allocatedBytes, 0);
    assert.deepEqual(taken(pool, 3), [0, 1, 2]);
    assert.equal(pool.allocatedBytes, 4 * 260);
    assert.deepEqual([pool.used, pool.available], [3, 2]);
    assert.deepEqual(taken(pool, 2), [3, 4]);
    assert.equal(pool.allocatedBytes, 5 * 260);
  });

  it("throws if no block is free", () => {
    const pool = new BlockPool(1, 1);
    pool.take();
    assert.throws(() => pool.take(), { code: "SIM_ERR_INTERNAL" });
  });

  it("takes released blocks again before it begins others", () => {
    const pool = new BlockPool(9, 1);
    const blocks = taken(pool, 4);
    chain(pool, [0, 2, 1]);
    pool.releaseChain(0);
    assert.deepEqual([pool.used, pool.available], [1, 8]);
    assert.deepEqual(new Set(taken(pool, 3)), new Set([0, 1, 2]));
    assert.equal(pool.take(), blocks.length);
  });

  it("ends the chain at a block that is taken", () => {
    const pool = new BlockPool(4, 1);
    taken(pool, 2);
    pool.release(0);
    pool.release(1);
    assert.equal(pool.next(pool.take()), NONE);
  });

  it("finds how much of a chain is contiguous, and never beyond a slab", () => {
    const pool = new BlockPool(8, 2);
    taken(pool, 8);
    chain(pool, [0, 1, 3, 4, 5]);
    assert.equal(pool.contiguous(0, 0, 2_000), 512);
    assert.equal(pool.contiguous(0, 15, 2_000), 272);
    assert.equal(pool.contiguous(0, 15, 20), 20);
    assert.equal(pool.contiguous(1, 0, 2_000), 256);
    assert.equal(pool.contiguous(3, 0, 2_000), 256);
    assert.equal(pool.contiguous(4, 0, 2_000), 512);
  });

  it("copies bytes into a chain and out again, wherever its blocks are", () => {
    const orders = [
      [0, 1, 2, 3, 4, 5, 6, 7],
      [7, 6, 5, 4, 3, 2, 1, 0],
      [4, 5, 6, 0, 1, 7, 3, 2],
    ];
    for (const slabShift of [0, 2, 3]) {
      for (const order of orders) {
        const pool = new BlockPool(8, slabShift);
        taken(pool, 8);
        chain(pool, order);
        for (const [cell, length] of [
          [0, 2_048],
          [3, 1_999],
          [15, 1],
          [15, 17],
          [8, 700],
          [0, 0],
        ] as const) {
          const source = Uint8Array.from({ length }, (_, at) => (at * 7 + length) & 0xff);
          const scratch = new Scratch();
          scratch.hold(length);
          pool.copyIn(order[0] as number, cell, source);
          pool.copyOut(order[0] as number, cell, length, scratch);
          assert.deepEqual(scratch.bytes.slice(0, length), source);
        }
      }
    }
  });

  it("has words and doubles of a block where its bytes are", () => {
    const pool = new BlockPool(4, 1);
    taken(pool, 4);
    pool.setWord(3, 1, 0x0403_0201);
    pool.setDouble(3, 1, 1.5);
    const start = pool.startOf(3);
    assert.equal(start, 256);
    assert.deepEqual([...pool.bytesOf(3).subarray(start + 4, start + 8)], [1, 2, 3, 4]);
    assert.deepEqual([pool.word(3, 1), pool.double(3, 1)], [0x0403_0201, 1.5]);
    assert.deepEqual([pool.word(2, 1), pool.double(2, 1)], [0, 0]);
  });
});
