import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { SlabStore } from "../../src/history/slab-store.ts";
import { testHistoryModel } from "./history-model.ts";
import { AMPLE, bytesOf, type StoreSettings, testHistoryStore } from "./store.contract.ts";

/** Slabs of two blocks, so that messages and names cross slabs. */
const make = (settings: StoreSettings): SlabStore =>
  new SlabStore({ ...settings, seed: 7, slabShift: 1 });

testHistoryStore("SlabStore", make);
testHistoryModel("SlabStore", make);

describe("SlabStore", () => {
  const SETTINGS = { seed: 7, idleMs: 1_000 };

  it("requires a bound with which it can keep something", () => {
    assert.throws(() => new SlabStore({ ...SETTINGS, maxBytes: 4_095 }), {
      code: "SIM_ERR_INTERNAL",
      message: "maxBytes of a history must be at least 4096 (bytes), got 4095",
    });
    const store = new SlabStore({ ...SETTINGS, maxBytes: 4_096 });
    assert.equal(store.append("a", AMPLE, bytesOf("x"), 1), 1_000_000_000_001);
  });

  it("allocates memory as it is needed, and reuses what was freed", () => {
    const store = new SlabStore({ ...SETTINGS, maxBytes: 2 ** 20, slabShift: 4 });
    assert.equal(store.allocatedBytes, 0);
    const fill = (): void => {
      for (let at = 0; at < 300; at += 1) store.append("a", AMPLE, bytesOf("x".repeat(300)), 1);
    };
    fill();
    const { allocatedBytes, bytes } = store;
    assert.ok(allocatedBytes - bytes < 16 * 260, `${allocatedBytes} for ${bytes}`);
    for (let round = 0; round < 10; round += 1) {
      store.clear("a");
      assert.equal(store.bytes, 260);
      fill();
    }
    assert.equal(store.allocatedBytes, allocatedBytes);
  });

  it("takes at most 64 bytes of overhead for a message of a long topic", () => {
    const store = new SlabStore({ ...SETTINGS, maxBytes: 2 ** 22 });
    for (const size of [0, 1, 100, 1_000]) {
      const [before, count] = [store.bytes, 1_000];
      for (let at = 0; at < count; at += 1) {
        store.append(`topic ${size}`, AMPLE, bytesOf("x".repeat(size)), 1);
      }
      const overhead = (store.bytes - before) / count - size;
      assert.ok(overhead <= 64, `${overhead} bytes for a message of ${size}`);
    }
  });

  it("takes two blocks for a topic with a short message", () => {
    const store = new SlabStore({ ...SETTINGS, maxBytes: 2 ** 20 });
    for (let at = 0; at < 100; at += 1) store.append(`room:${at}`, AMPLE, bytesOf("hello"), 1);
    assert.equal(store.bytes, 100 * 2 * 260);
  });
});
