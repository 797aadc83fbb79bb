import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import type { EngineResponse } from "../../../src/transport/engine/app-port.ts";
import { RequestBodies } from "../../../src/transport/http/request-bodies.ts";
import { RequestBody, type BodyResult } from "../../../src/transport/http/request-body.ts";
import { Sweep } from "../../../src/transport/sweep.ts";

const MAX_BYTES = 100_000;

/** Passes a chunk to the body, as the engine does; undefined if the body has not asked for data. */
let onData: ((chunk: ArrayBuffer, isLast: boolean) => void) | undefined;
let bodies: RequestBodies;
let counted: number;
let results: BodyResult[];

function made(announcedBytes: number): RequestBody {
  const response: Pick<EngineResponse, "onData"> = {
    onData(handler) {
      onData = handler as typeof onData;
      return this as EngineResponse;
    },
  };
  return new RequestBody(response, announcedBytes, {
    bodies,
    turn: { countBody: (bytes) => void (counted += bytes) },
    options: { maxBodyBytes: MAX_BYTES },
  });
}

function read(body: RequestBody): void {
  body.read((result) => results.push(result));
}

function lengths(): number[] {
  return results.map(({ length }) => length);
}

function arrives(text: string, isLast = false): void {
  const { buffer, byteOffset, length } = Buffer.from(text);
  const chunk = buffer.slice(byteOffset, byteOffset + length);
  onData?.(chunk, isLast);
  // The engine reuses it.
  new Uint8Array(chunk).fill(0);
}

describe("The body of a request", () => {
  beforeEach(() => {
    onData = undefined;
    bodies = new RequestBodies(60_000, new Sweep(1_000));
    counted = 0;
    results = [];
  });

  it("is whole after its last chunk, and its time ends", () => {
    const body = made(6);
    read(body);
    arrives("one");
    assert.deepEqual([results, bodies.size], [[], 1]);
    arrives("two", true);
    assert.deepEqual([String(results), bodies.size, counted], ["onetwo", 0, 6]);
  });

  it("can be collected before it is read", () => {
    const body = made(3);
    body.start();
    arrives("one", true);
    assert.deepEqual(results, []);
    read(body);
    assert.equal(String(results), "one");
  });

  it("is empty at once if none is announced, without asking the engine for it", () => {
    read(made(0));
    assert.deepEqual([lengths(), onData], [[0], undefined]);
  });

  it("is too large if that is announced, or once more has arrived", () => {
    read(made(MAX_BYTES + 1));
    assert.deepEqual([results, onData], [["large"], undefined]);
    read(made(Infinity));
    arrives("x".repeat(MAX_BYTES));
    assert.deepEqual(results, ["large"]);
    arrives("y", true);
    assert.deepEqual([results, bodies.size], [["large", "large"], 0]);
  });

  it("is too large if it comes in more than 1,024 chunks of less than 64 bytes on average", () => {
    read(made(Infinity));
    for (let n = 0; n < 1_024; n += 1) arrives("x");
    assert.deepEqual(results, []);
    arrives("x");
    assert.deepEqual(results, ["large"]);
    read(made(Infinity));
    for (let n = 0; n < 1_200; n += 1) arrives("x".repeat(64));
    assert.deepEqual(results, ["large"]);
    arrives("", true);
    assert.deepEqual(lengths(), ["large".length, 1_200 * 64]);
  });

  it("is late if its time has passed", () => {
    const body = made(10);
    read(body);
    body.bodyIsLate();
    arrives("too late", true);
    assert.deepEqual([results, bodies.size], [["late"], 0]);
  });

  it("counts the memory that it takes until it is taken, also while it waits", () => {
    const body = made(6);
    body.start();
    arrives("one");
    assert.deepEqual([bodies.size, body.heldBytes, bodies.maxHeldBytes], [1, 3, 3]);
    arrives("two", true);
    assert.deepEqual([bodies.size, body.heldBytes, bodies.maxHeldBytes], [0, 1_024, 1_024]);
    const visited: unknown[] = [];
    bodies.visitHeld((owner, bytes) => visited.push([owner === body, bytes]));
    assert.deepEqual(visited, [[true, 1_024]]);
    read(body);
    assert.deepEqual([String(results), body.heldBytes, bodies.maxHeldBytes], ["onetwo", 0, 0]);
  });

  it("is shed if the node holds too much, incomplete or whole, and then takes no memory", () => {
    const incomplete = made(6);
    read(incomplete);
    arrives("one");
    incomplete.shed();
    arrives("two", true);
    assert.deepEqual([results, incomplete.heldBytes, bodies.maxHeldBytes], [["shed"], 0, 0]);
    const whole = made(3);
    whole.start();
    arrives("one", true);
    whole.shed();
    assert.deepEqual([whole.heldBytes, bodies.maxHeldBytes], [0, 0]);
    read(whole);
    assert.deepEqual(results, ["shed", "shed"]);
  });

  it("is not passed on once it is given up", () => {
    const body = made(3);
    read(body);
    body.giveUp();
    arrives("one", true);
    assert.deepEqual([results, bodies.size, bodies.maxHeldBytes], [[], 0, 0]);
  });

  it("is long if more may come than may be read, and not once it is whole", () => {
    for (const [announced, isLong] of [
      [0, false],
      [MAX_BYTES, false],
      [MAX_BYTES + 1, true],
      [Infinity, true],
    ] as const) {
      assert.equal(made(announced).isLong, isLong, String(announced));
    }
    const body = made(Infinity);
    read(body);
    arrives("all", true);
    assert.equal(body.isLong, false);
  });
});
