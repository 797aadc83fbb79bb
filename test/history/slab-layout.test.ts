import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { BlockPool } from "../../src/history/block-pool.ts";
import { MessageLog } from "../../src/history/message-log.ts";
import {
  blockOf,
  blocksOf,
  cellOf,
  cellsOf,
  ENTRY,
  ENTRY_BYTES,
  ENTRY_DOUBLES,
  placeOf,
  planOf,
} from "../../src/history/slab-layout.ts";
import { TopicTable } from "../../src/history/topic-table.ts";

const NONE = -1;
const BEFORE_FIRST = 999_999_999_999;

/** A pool with one topic in block 0, whose log begins in block 1. */
function makeLog(): { pool: BlockPool; log: MessageLog; entry: number } {
  const pool = new BlockPool(64, 6);
  const table = new TopicTable(pool, 8, 1);
  const log = new MessageLog(pool);
  const entry = table.add("room:1");
  log.begin(entry, BEFORE_FIRST);
  return { pool, log, entry };
}

/** Returns words of a block. */
function words(pool: BlockPool, block: number, from: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => pool.word(block, from + at));
}

describe("the layout of the slab store", () => {
  it("divides a bound into buckets, and blocks with links", () => {
    assert.deepEqual(planOf(4_096), { buckets: 8, blocks: 15 });
    assert.deepEqual(planOf(65_536), { buckets: 64, blocks: 251 });
    assert.deepEqual(planOf(65_535), { buckets: 32, blocks: 251 });
    assert.deepEqual(planOf(2 ** 28), { buckets: 2 ** 18, blocks: 1_028_411 });
    assert.deepEqual(planOf(0), { buckets: 8, blocks: 0 });
    assert.deepEqual(planOf(2 ** 42), { buckets: 2 ** 22, blocks: 2 ** 27 - 1 });
  });

  it("counts cells of 16 bytes, and blocks of 16 cells", () => {
    assert.deepEqual([0, 1, 16, 17, 262_144].map(cellsOf), [0, 1, 1, 2, 16_384]);
    assert.deepEqual([0, 1, 16, 17].map(blocksOf), [0, 1, 1, 2]);
  });

  it("names cells of all blocks by places within an int32", () => {
    const last = placeOf(2 ** 27 - 2, 15);
    assert.equal(last | 0, last);
    assert.deepEqual([blockOf(last), cellOf(last)], [2 ** 27 - 2, 15]);
    assert.deepEqual([blockOf(35), cellOf(35)], [2, 3]);
  });

  it("has 17 words, a gap and 9 doubles in an entry, and then the name", () => {
    assert.deepEqual(
      Object.values(ENTRY),
      Array.from({ length: 17 }, (_, at) => at),
    );
    assert.deepEqual(
      Object.values(ENTRY_DOUBLES),
      Array.from({ length: 9 }, (_, at) => at + 9),
    );
    assert.equal(ENTRY_BYTES, 18 * 8);
    const { pool, entry } = makeLog();
    assert.equal(entry, 0);
    assert.deepEqual(words(pool, entry, 1, 5), [6, 1, NONE, NONE, NONE]);
    const name = pool.bytesOf(entry).subarray(144, 150);
    assert.equal(Buffer.from(name).toString(), "room:1");
  });

  it("continues a name in the blocks after its entry", () => {
    const pool = new BlockPool(8, 2);
    const table = new TopicTable(pool, 8, 1);
    assert.equal(table.blocksFor("x".repeat(112)), 1);
    assert.equal(table.blocksFor("x".repeat(113)), 2);
    assert.equal(table.blocksFor("ω".repeat(56)), 1);
    assert.equal(table.blocksFor("ω".repeat(57)), 2);
    const entry = table.add(`${"x".repeat(112)}yz`);
    assert.deepEqual([entry, pool.next(entry), pool.next(1)], [0, 1, NONE]);
    assert.equal(Buffer.from(pool.bytesOf(1).subarray(256, 258)).toString(), "yz");
  });

  it("writes a message as length, skipped offsets, time and bytes, in whole cells", () => {
    const { pool, log, entry } = makeLog();
    log.append(entry, BEFORE_FIRST + 1, Buffer.from("0123456789abcdefX"), 1_000);
    log.append(entry, BEFORE_FIRST + 4, Buffer.from("yz"), 900);
    assert.deepEqual(words(pool, 1, 0, 2), [17, 0]);
    assert.equal(pool.double(1, 1), 1_000);
    assert.equal(
      Buffer.from(pool.bytesOf(1).subarray(256 + 16, 256 + 33)).toString(),
      "0123456789abcdefX",
    );
    assert.deepEqual(words(pool, 1, 12, 2), [2, 2]);
    // A time before that of the previous message is not stored.
    assert.equal(pool.double(1, 7), 1_000);
    assert.equal(Buffer.from(pool.bytesOf(1).subarray(256 + 64, 256 + 66)).toString(), "yz");
    assert.deepEqual(words(pool, entry, ENTRY.oldestBlock, 6), [1, 0, 1, 5, 2, 2]);
    assert.equal(pool.double(entry, ENTRY_DOUBLES.newest), BEFORE_FIRST + 4);
    assert.equal(pool.double(entry, ENTRY_DOUBLES.base), BEFORE_FIRST);
    assert.equal(pool.double(entry, ENTRY_DOUBLES.bytes), 19);
  });

  it("continues a message in the next block, and begins no block early", () => {
    const { pool, log, entry } = makeLog();
    log.append(entry, BEFORE_FIRST + 1, new Uint8Array(240), 1);
    assert.deepEqual(words(pool, entry, ENTRY.endBlock, 2), [1, 16]);
    assert.equal(log.blocksFor(entry, 0), 1);
    assert.equal(pool.used, 2);
    log.append(entry, BEFORE_FIRST + 2, new Uint8Array(250).fill(7), 1);
    assert.deepEqual(words(pool, entry, ENTRY.endBlock, 2), [3, 1]);
    assert.equal(pool.bytesOf(3)[3 * 256 + 9], 7);
  });

  it("frees the blocks before the oldest message", () => {
    const { pool, log, entry } = makeLog();
    for (let at = 1; at <= 3; at += 1) {
      log.append(entry, BEFORE_FIRST + at, new Uint8Array(240 + 256), 1);
    }
    assert.equal(pool.used, 1 + 6);
    assert.equal(log.dropOldest(entry), 496);
    assert.equal(pool.used, 1 + 4);
    assert.deepEqual(words(pool, entry, ENTRY.oldestBlock, 2), [3, 0]);
    assert.equal(pool.double(entry, ENTRY_DOUBLES.base), BEFORE_FIRST + 1);
    log.dropOldest(entry);
    log.dropOldest(entry);
    assert.equal(pool.used, 1);
    assert.deepEqual(words(pool, entry, ENTRY.oldestBlock, 1), [NONE]);
  });

  it("writes a waypoint every 256 cells", () => {
    const { pool, log, entry } = makeLog();
    // 17 blocks of one message each: the first 16 fill 256 cells.
    for (let at = 1; at <= 17; at += 1) {
      log.append(entry, BEFORE_FIRST + 2 * at, new Uint8Array(240), 1);
    }
    const place = placeOf(17, 0);
    assert.deepEqual(words(pool, entry, ENTRY.waypoint, 4), [place, 1, 1, 18]);
    assert.deepEqual(words(pool, 17, 0, 1), [-1]);
    assert.deepEqual(words(pool, 17, 3, 1), [1]);
    assert.equal(pool.double(17, 2), BEFORE_FIRST + 32);
    assert.deepEqual(words(pool, 17, 6, 2), [16, 0]);
    assert.deepEqual(words(pool, 17, 8, 2), [240, 1]);
    for (let at = 0; at < 16; at += 1) log.dropOldest(entry);
    // The waypoint goes with the message before it.
    assert.deepEqual(words(pool, entry, ENTRY.oldestBlock, 2), [17, 2]);
    assert.deepEqual(words(pool, entry, ENTRY.oldestDepth, 1), [2]);
    assert.equal(log.seek(entry, BEFORE_FIRST), true);
    assert.equal(log.offset, BEFORE_FIRST + 34);
  });

  it("jumps over waypoints, so that the way to a message stays short", () => {
    const pool = new BlockPool(2_048, 6);
    const log = new MessageLog(pool);
    const entry = new TopicTable(pool, 8, 1).add("a");
    log.begin(entry, BEFORE_FIRST);
    for (let at = 1; at <= 101; at += 1) {
      log.append(entry, BEFORE_FIRST + at, new Uint8Array(4_096), 1);
    }
    const jumps = new Map<number, number>();
    let place = pool.word(entry, ENTRY.waypoint);
    for (let depth = 100; depth > 0; depth -= 1) {
      const [block, cell] = [blockOf(place), cellOf(place)];
      assert.equal(pool.word(block, cell * 4 + 3), depth);
      const second = cell === 15 ? [pool.next(block), 0] : [block, cell + 1];
      const [secondBlock, secondCell] = second as [number, number];
      jumps.set(depth, pool.word(secondBlock, secondCell * 4 + 3));
      place = pool.word(block, cell * 4 + 1);
    }
    const steps = (target: number): number => {
      let count = 0;
      for (let depth = 100; depth > target; count += 1) {
        const jump = jumps.get(depth) as number;
        depth = jump >= target ? jump : depth - 1;
      }
      return count;
    };
    const all = Array.from({ length: 100 }, (_, at) => steps(at + 1));
    assert.ok(Math.max(...all) <= 14, `${Math.max(...all)} steps`);
  });

  it("lets serials and depths wrap", () => {
    const pool = new BlockPool(512, 3);
    const log = new MessageLog(pool);
    const entry = new TopicTable(pool, 8, 1).add("a");
    log.begin(entry, BEFORE_FIRST);
    pool.setWord(entry, ENTRY.newestSerial, 2 ** 31 - 30);
    pool.setWord(entry, ENTRY.waypointDepth, 2 ** 31 - 3);
    pool.setWord(entry, ENTRY.oldestDepth, 2 ** 31 - 2);
    for (let at = 1; at <= 100; at += 1) {
      log.append(entry, BEFORE_FIRST + at, new Uint8Array(1_000), 1);
      if (at > 90) log.dropOldest(entry);
    }
    for (let at = 11; at <= 100; at += 1) {
      assert.equal(log.seek(entry, BEFORE_FIRST + at - 1), true);
      assert.equal(log.offset, BEFORE_FIRST + at);
      assert.equal(log.seekLast(entry, 101 - at), true);
      assert.equal(log.offset, BEFORE_FIRST + at);
    }
  });
});
