import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  AddressCounts,
  clearAddressCounts,
  makeAddressCountsMemory,
} from "../../src/memory/address-counts.ts";

describe("AddressCounts", () => {
  it("sum what all members count for an address", () => {
    const memory = makeAddressCountsMemory(3, 16, "seed");
    const [one, two] = [new AddressCounts(memory, 0), new AddressCounts(memory, 2)];
    const [ant, bee] = [one.slotsOf("10.0.0.1"), one.slotsOf("10.0.0.2")];
    assert.deepEqual(two.slotsOf("10.0.0.1"), ant);
    one.add(ant, 3);
    two.add(ant, 4);
    two.add(bee, 1);
    assert.deepEqual([one.total(ant), two.total(ant), one.total(bee)], [7, 7, 1]);
    one.add(ant, -3);
    assert.equal(two.total(ant), 4);
  });

  it("forget exactly what a member counted that ended", () => {
    const memory = makeAddressCountsMemory(2, 8, "seed");
    const [one, two] = [new AddressCounts(memory, 0), new AddressCounts(memory, 1)];
    const addresses = Array.from({ length: 1_000 }, (_, at) => one.slotsOf(`10.0.0.${at}`));
    for (const address of addresses) one.add(address, 2);
    for (const address of addresses) two.add(address, 1);
    clearAddressCounts(memory, 0);
    for (const address of addresses) two.add(address, -1);
    assert.deepEqual(new Set(new Int32Array(memory.words)), new Set([0]));
  });

  it("are never too low, and rarely too high", () => {
    const counts = new AddressCounts(makeAddressCountsMemory(1, 16, "seed"), 0);
    const addresses = Array.from({ length: 5_000 }, (_, at) => counts.slotsOf(`address ${at}`));
    for (const address of addresses) counts.add(address, 1);
    const totals = addresses.map((address) => counts.total(address));
    assert.ok(totals.every((total) => total >= 1));
    assert.ok(totals.filter((total) => total > 1).length < 100);
  });
});
