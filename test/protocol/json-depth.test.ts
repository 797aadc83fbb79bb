import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { isTooDeep as isDeeper, SCANNED_FROM_UNITS } from "../../src/protocol/json-depth.ts";
import { jsonV1 } from "../../src/protocol/json-v1.ts";
import { jsonV2 } from "../../src/protocol/json-v2.ts";

const MAX_DEPTH = 128;

function isTooDeep(json: string): boolean {
  return isDeeper(json, MAX_DEPTH);
}

function v1(payload: string): string {
  return `{"topic":"t","event":"e","payload":${payload},"ref":"1"}`;
}

/** A list of a long text and a value nested to a depth, which is one level deeper. */
function long(depth: number, open = "[", close = "]"): string {
  return `["${"x".repeat(SCANNED_FROM_UNITS)}",${open.repeat(depth)}1${close.repeat(depth)}]`;
}

/** Depth of a value, by another method than the scan. */
function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe("the depth of a long JSON text", () => {
  it("may be 128, of lists and objects together", () => {
    assert.equal(isTooDeep(long(MAX_DEPTH - 1)), false);
    assert.equal(isTooDeep(long(MAX_DEPTH)), true);
    assert.equal(isTooDeep(long((MAX_DEPTH - 2) / 2, '{"a":[', "]}")), false);
    assert.equal(isTooDeep(long(MAX_DEPTH / 2, '{"a":[', "]}")), true);
  });

  it("does not count what is closed again, or in strings", () => {
    assert.equal(isTooDeep(`[${"[],{},".repeat(SCANNED_FROM_UNITS)}1]`), false);
    assert.equal(isTooDeep(`["${"[".repeat(SCANNED_FROM_UNITS)}"]`), false);
    assert.equal(isTooDeep(`["${'\\"['.repeat(SCANNED_FROM_UNITS)}"]`), false);
    const pads = ["", "\\\\", "\\\\\\\\", '\\"', '\\\\\\"'];
    for (const pad of pads) {
      const text = "x".repeat(SCANNED_FROM_UNITS);
      for (const string of [`"${pad}"`, `"${text}${pad}"`, `"${pad}${text}${pad}"`]) {
        const deep = `[${string},"${text}",${"[".repeat(MAX_DEPTH)}1${"]".repeat(MAX_DEPTH)}]`;
        JSON.parse(deep);
        assert.equal(isTooDeep(deep), true, pad);
      }
    }
  });

  it("agrees with the parsed value", () => {
    const values = fc.jsonValue({ maxDepth: 6 });
    fc.assert(
      fc.property(values, fc.integer({ min: MAX_DEPTH - 8, max: MAX_DEPTH }), (value, levels) => {
        const inner = JSON.stringify(value);
        const text = `${'[{"\\\\":'.repeat(levels / 2)}${inner}${"}]".repeat(levels / 2)}`;
        const padded = `["${'\\"'.repeat(SCANNED_FROM_UNITS)}",${text}]`;
        assert.equal(isTooDeep(padded), depthOf(JSON.parse(padded)) > MAX_DEPTH);
      }),
    );
  });

  it("has no limit in a short text", () => {
    assert.equal(isTooDeep("[".repeat(SCANNED_FROM_UNITS)), false);
    assert.equal(isTooDeep("[".repeat(SCANNED_FROM_UNITS + 1)), true);
  });

  it("makes a frame malformed in both versions", () => {
    assert.equal(jsonV2.decode(`["1","1","t","e",${long(MAX_DEPTH)}]`, MAX_DEPTH), undefined);
    assert.ok(jsonV2.decode(`["1","1","t","e",${long(8)}]`, MAX_DEPTH));
    assert.equal(jsonV1.decode(v1(long(MAX_DEPTH)), MAX_DEPTH), undefined);
    assert.ok(jsonV1.decode(v1(long(8)), MAX_DEPTH));
    const bytes = Buffer.from(v1(long(MAX_DEPTH)));
    assert.equal(jsonV1.decodeBytes(bytes, MAX_DEPTH), undefined);
    assert.ok(jsonV1.decodeBytes(bytes));
  });
});
