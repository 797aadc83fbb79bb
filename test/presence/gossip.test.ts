/**
 * Messages between replicas: written as payloads, and parsed.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  gossipTopic,
  inboxTopic,
  packDelta,
  packPermdown,
  packRequest,
  unpackDelta,
  unpackPermdown,
  unpackRequest,
} from "../../src/presence/gossip.ts";
import type { Delta } from "../../src/presence/replica.ts";

const REF = { node: "bee", member: 3, incarnation: 77 };
const OTHER = { node: "ant", member: 2, incarnation: 5 };
const DELTA: Delta = {
  spans: [
    [0, 1],
    [4, 9],
  ],
  rows: [{ dot: 7, topic: "room", key: "__proto__", meta: { phx_ref: "r" } }],
};

function crossed(payload: object): unknown {
  return JSON.parse(JSON.stringify(payload));
}

describe("Gossip", () => {
  it("uses reserved topics: one for all replicas, and one for each", () => {
    assert.equal(gossipTopic("rooms"), "phx_presence:rooms");
    assert.equal(inboxTopic("rooms", REF), "phx_presence:rooms:3@bee");
  });

  it("encodes a delta with rows and spans, and a clock in its last part", () => {
    assert.equal(
      JSON.stringify(packDelta(REF, DELTA, 9)),
      '{"v":1,"from":["bee",3,77],"spans":[[0,1],[4,9]],"rows":[[7,"room","__proto__",{"phx_ref":"r"}]],"clock":9}',
    );
    assert.deepEqual(unpackDelta(crossed(packDelta(REF, DELTA, 9))), {
      from: REF,
      delta: DELTA,
      clock: 9,
    });
    assert.equal(unpackDelta(crossed(packDelta(REF, DELTA, undefined))).clock, undefined);
  });

  it("freezes metas from other replicas", () => {
    const [row] = unpackDelta(crossed(packDelta(REF, DELTA, 9))).delta.rows;
    assert.ok(Object.isFrozen(row?.meta));
  });

  it("encodes requests and permdowns", () => {
    const request = packRequest(REF, 9, [{ ref: OTHER, through: 4 }]);
    assert.equal(
      JSON.stringify(request),
      '{"v":1,"from":["bee",3,77],"clock":9,"clocks":[["ant",2,5,4]]}',
    );
    assert.deepEqual(unpackRequest(crossed(request)), {
      from: REF,
      clock: 9,
      clocks: [{ ref: OTHER, through: 4 }],
    });
    assert.deepEqual(unpackPermdown(crossed(packPermdown(REF, OTHER))), { from: REF, gone: OTHER });
  });

  it("refuses messages of another version, and malformed ones", () => {
    const delta = packDelta(REF, DELTA, 9);
    const broken = [
      null,
      "x",
      { ...delta, v: 2 },
      { ...delta, from: undefined },
      { ...delta, from: ["bee", "3", 77] },
      { ...delta, spans: [["0", 1]] },
      { ...delta, rows: [[7, "room", "key", {}]] },
      { ...delta, rows: [[7, 8, "key", { phx_ref: "r" }]] },
      { ...delta, clock: "9" },
    ];
    for (const payload of broken) assert.throws(() => unpackDelta(payload), TypeError);
  });
});
