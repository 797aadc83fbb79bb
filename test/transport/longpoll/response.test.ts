/**
 * Answers, with a fake response of the engine.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as timersAfter } from "node:timers/promises";

import type { EngineResponse } from "../../../src/transport/engine/app-port.ts";
import { StreamBuffers } from "../../../src/transport/http/stream-buffers.ts";
import { RequestBody } from "../../../src/transport/http/request-body.ts";
import { LongPollResponse } from "../../../src/transport/longpoll/response.ts";
import { headWith } from "../../support/head.ts";

/** A fake response: records what is written, and is aborted on request. */
class FakeResponse {
  readonly written: string[] = [];
  abort: () => void = () => {};
  onData(): this {
    return this;
  }
  onAborted(handler: () => void): this {
    this.abort = handler;
    return this;
  }
  writeStatus(status: string): this {
    this.written.push(status);
    return this;
  }
  writeHeader(name: string, value: string): this {
    this.written.push(`${name}: ${value}`);
    return this;
  }
  end(body: string, isLast: boolean): this {
    this.written.push(body, isLast ? "and the end" : "and more");
    return this;
  }
  tryEnd(body: string): [boolean, boolean] {
    this.written.push(body, "and more");
    return [true, true];
  }
  cork(work: () => void): this {
    work();
    return this;
  }
}

function made(last = 0): { fake: FakeResponse; response: LongPollResponse } {
  const fake = new FakeResponse();
  const isLast = (status: number): boolean => status === last;
  const engine = fake as unknown as EngineResponse;
  const body = new RequestBody(engine, 0, {
    bodies: { begin() {}, grew() {}, completed() {}, end() {} },
    turn: { countBody() {} },
    options: { maxBodyBytes: 1_024 },
  });
  const ignored = { tcp: { requested() {}, answered() {} }, streams: new StreamBuffers() };
  const response = new LongPollResponse(engine, headWith(), body, isLast, ignored);
  return { fake, response };
}

describe("the answer to a long-poll client", () => {
  it("is sent once", () => {
    const { fake, response } = made();
    response.batch(200, "t", '["x"]');
    assert.equal(fake.written.at(-2), '{"status":200,"token":"t","messages":["x"]}');
    const { length } = fake.written;
    response.status(410);
    assert.equal(response.isOpen, false);
    assert.equal(fake.written.length, length);
  });

  it("is not sent once the client is gone, which is reported once", () => {
    const { fake, response } = made();
    let told = 0;
    response.onAborted = () => {
      told += 1;
    };
    fake.abort();
    const settled: unknown[] = [];
    response.batch(200, "t", "[]", (isDelivered) => settled.push(isDelivered));
    assert.deepEqual([told, response.isOpen, settled], [1, false, [false]]);
    assert.deepEqual(fake.written, []);
  });

  it("is delivered when it is written, also if that is postponed because it closes the connection", async () => {
    const settled: unknown[] = [];
    made().response.batch(200, "t", "[]", (isDelivered) => settled.push(isDelivered));
    assert.deepEqual([...settled], [true]);
    const last = made(200);
    last.response.batch(200, "t", "[]", (isDelivered) => settled.push(isDelivered));
    assert.deepEqual([...settled], [true]);
    assert.deepEqual(last.fake.written, []);
    await timersAfter(0);
    assert.deepEqual([...settled], [true, true]);
    assert.equal(last.fake.written.at(-1), "and the end");
    last.fake.abort();
    assert.deepEqual(settled, [true, true]);
  });

  it("is not delivered if the client goes away while it is postponed", async () => {
    const { fake, response } = made(200);
    const settled: unknown[] = [];
    response.batch(200, "t", '["x"]', (isDelivered) => settled.push(isDelivered));
    fake.abort();
    await timersAfter(0);
    assert.deepEqual([settled, fake.written], [[false], []]);
  });

  it("closes its connection if its HTTP status, or the one in the body, requires it", async () => {
    const gone = made(410);
    gone.response.status(410);
    await timersAfter(0);
    assert.equal(gone.fake.written.at(-1), "and the end");
    const fetched = made(410);
    fetched.response.batch(200, "t", "[]");
    assert.equal(fetched.fake.written.at(-1), "and more");
    const busy = made(503);
    busy.response.unavailable();
    await timersAfter(0);
    assert.deepEqual(busy.fake.written, [
      "503 Service Unavailable",
      "retry-after: 5",
      "",
      "and the end",
    ]);
  });
});
