import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { ok } from "../../src/callbacks/results.ts";
import { Logger } from "../../src/log/logger.ts";
import { Counters, makeCountersMemory, readCounters } from "../../src/memory/counters.ts";
import { ResidentWatch } from "../../src/shard/resident-watch.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { Client } from "../support/client.ts";
import { startShard, type TestShard } from "../support/shard.ts";

const MAX_BYTES = 1_000_000;
const MESSAGE_BYTES = 1_000;

let residentBytes: number;
/** Numbers of connections that were to be cut. */
let cuts: number[];
let size: number;
const memory = makeCountersMemory(1);
let watch: ResidentWatch;

/** Takes a sample with so much memory. @returns how many connections were to be cut */
function sample(bytes: number): number | undefined {
  residentBytes = bytes;
  cuts = [];
  watch.sample();
  return cuts[0];
}

describe("the watch of the resident memory", () => {
  beforeEach(() => {
    size = 1_600;
    watch = new ResidentWatch({
      maxResidentBytes: MAX_BYTES,
      maxMessageBytes: MESSAGE_BYTES,
      shards: 2,
      connections: {
        get size() {
          return size;
        },
        cutSilent(count) {
          cuts.push(count);
          return count;
        },
      },
      counters: new Counters(memory, 0),
      logger: new Logger("silent"),
      resident: () => residentBytes,
    });
  });

  it("cuts this shard's share of what the excess can be, at most an eighth of its connections", () => {
    assert.equal(sample(MAX_BYTES), undefined);
    assert.equal(sample(MAX_BYTES + 1), 1);
    assert.equal(sample(MAX_BYTES + 20_000), 10);
    assert.equal(sample(MAX_BYTES + 1_000_000), 200);
    size = 3;
    assert.equal(sample(MAX_BYTES + 1_000_001), 1);
    assert.equal(readCounters(memory, 0).silentCut, 212);
  });

  it("cuts no more while the memory does not grow, since what is freed may stay with the process", () => {
    assert.equal(sample(MAX_BYTES + 20_000), 10);
    assert.equal(sample(MAX_BYTES + 20_000), undefined);
    assert.equal(sample(MAX_BYTES + 10_000), undefined);
    assert.equal(sample(MAX_BYTES + 20_001), 11);
    assert.equal(sample(MAX_BYTES * 0.95), undefined);
    assert.equal(sample(MAX_BYTES + 2_000), undefined);
    assert.equal(sample(MAX_BYTES * 0.94), undefined);
    assert.equal(sample(MAX_BYTES + 2_000), 1);
  });
});

describe("a shard of a process that takes too much memory", () => {
  let shard: TestShard | undefined;
  afterEach(() => shard?.close());

  it("cuts a client that completes no message, and none that does", async () => {
    const socket = defineSocket({ connect: () => ok({}) });
    // The process takes more than 1 MiB from the start. With this timeout, the sweep ticks every 31 ms.
    const options = { maxResidentBytes: 1_048_576, unjoinedTimeoutMs: 250 };
    shard = await startShard({ sockets: { "/socket": { socket, channels: {} } } }, options);
    const [silent, talker] = [await Client.connect(shard.port), await Client.connect(shard.port)];
    const talk = setInterval(() => talker.push("phoenix", "heartbeat"), 10);
    assert.equal((await silent.closed(20_000)).code, 1006);
    clearInterval(talk);
    const ref = talker.push("phoenix", "heartbeat");
    let last: unknown;
    while (last !== ref) last = (await talker.next("phx_reply")).ref;
    assert.equal(shard.counter("silentCut"), 1);
    await talker.close();
  });
});
