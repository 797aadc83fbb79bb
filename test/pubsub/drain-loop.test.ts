import assert from "node:assert/strict";
import { EventEmitter, on, once } from "node:events";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { ExchangeHandler } from "../../src/pubsub/exchange.ts";
import { within } from "../support/deadline.ts";
import { makeExchange, makeExchangeShared, makeMember, send } from "../support/exchange.ts";

/** Records the texts of records, and lets a test wait for the next one. */
class Listener implements ExchangeHandler {
  readonly seen: string[] = [];
  readonly #events = new EventEmitter();

  onRecord(_from: number, _type: number, bytes: Uint8Array, offset: number, length: number): void {
    const text = Buffer.from(bytes.subarray(offset, offset + length)).toString();
    this.seen.push(text);
    this.#events.emit("record", text);
  }
  onLapped(): void {
    assert.fail("lapped");
  }
  onError(error: unknown): void {
    throw error;
  }

  /** Waits for a record with this text. */
  async record(text: string): Promise<void> {
    const arrived = (async () => {
      for await (const [seen] of on(this.#events, "record")) if (seen === text) return;
    })();
    await within(arrived, `the record ${text}`, 5_000);
  }
}

describe("The drain loop", () => {
  it("delivers what was written before it started, and while it sleeps", async () => {
    const shared = makeExchangeShared();
    const sender = makeMember(shared, 0);
    const { exchange } = makeExchange(shared, 1);
    const listener = new Listener();
    send(sender, 1, 0, "early");
    const early = listener.record("early");
    exchange.start(listener);
    await early;
    for (let round = 0; round < 20; round += 1) {
      for (let turns = 0; turns < 5; turns += 1) await setImmediate();
      const late = listener.record(`late ${round}`);
      send(sender, 1, 0, `late ${round}`);
      await late;
    }
    exchange.stop();
  });

  it("lets the event loop run after each bounded turn", async () => {
    const shared = makeExchangeShared({ ringBytes: 1_024, maxRecordsPerTurn: 2 });
    const sender = makeMember(shared, 0);
    const { exchange } = makeExchange(shared, 1);
    const listener = new Listener();
    for (let n = 0; n < 8; n += 1) send(sender, 1, 0, String(n));
    exchange.start(listener);
    const counts: number[] = [];
    while (counts.at(-1) !== 8 && counts.length < 20) {
      await setImmediate();
      counts.push(listener.seen.length);
    }
    exchange.stop();
    assert.deepEqual(counts, [2, 4, 6, 8]);
  });

  it("ends a turn that has delivered many bytes, and goes on with the next", async () => {
    const COUNT = 60;
    const TEXT = "x".repeat(16_384);
    const shared = makeExchangeShared({ ringBytes: 1_048_576 });
    const sender = makeMember(shared, 0);
    const { exchange } = makeExchange(shared, 1);
    const listener = new Listener();
    for (let n = 0; n < COUNT; n += 1) send(sender, 1, 0, TEXT);
    exchange.start(listener);
    const counts: number[] = [];
    while (counts.at(-1) !== COUNT && counts.length < 20) {
      await setImmediate();
      counts.push(listener.seen.length);
    }
    exchange.stop();
    assert.deepEqual(counts, [16, 32, 48, 60]);
  });

  it("goes on after a record whose error is not caught", async () => {
    const url = new URL("./uncaught.worker.js", import.meta.url);
    const worker = new Worker(url, { workerData: makeExchangeShared() });
    const [seen] = await within(once(worker, "message"), "the worker's report", 10_000);
    assert.deepEqual(seen, ["Error: bad", "good"]);
    await worker.terminate();
  });

  it("starts no turn after it was stopped, and can be started again", async () => {
    const shared = makeExchangeShared();
    const sender = makeMember(shared, 0);
    const { exchange } = makeExchange(shared, 1);
    const listener = new Listener();
    exchange.start(listener);
    for (let turns = 0; turns < 5; turns += 1) await setImmediate();
    exchange.stop();
    send(sender, 1, 0, "while stopped");
    for (let turns = 0; turns < 50; turns += 1) await setImmediate();
    assert.deepEqual(listener.seen, []);
    const record = listener.record("while stopped");
    exchange.start(listener);
    await record;
    exchange.stop();
  });

  it("moves the rest of a burst into a full ring once there is room", async () => {
    const shared = makeExchangeShared();
    const { exchange: producer } = makeExchange(shared, 0);
    const { exchange: consumer } = makeExchange(shared, 1);
    const listener = new Listener();
    const last = listener.record("r99");
    producer.start(listener);
    for (let turns = 0; turns < 5; turns += 1) await setImmediate();
    for (let n = 0; n < 100; n += 1) producer.send(1, 0, 1, Buffer.from(`r${n}`), `r${n}`.length);
    consumer.start(listener);
    await last;
    assert.deepEqual(
      listener.seen,
      Array.from({ length: 100 }, (_, n) => `r${n}`),
    );
    producer.stop();
    consumer.stop();
  });
});
