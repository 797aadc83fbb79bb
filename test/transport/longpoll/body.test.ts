import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { framesOf, isNdjson, MAX_LINES, NO_TEXT } from "../../../src/transport/longpoll/body.ts";

function linesOf(text: string): unknown[] {
  return [...framesOf(Buffer.from(text), true)];
}

describe("the body of a POST", () => {
  it("has lines if its content type says so, whatever its parameters", () => {
    assert.ok(isNdjson("application/x-ndjson"));
    assert.ok(isNdjson("Application/X-NDJSON ; charset=utf-8"));
    for (const other of [undefined, "", "application/json", "text/plain; application/x-ndjson"]) {
      assert.equal(isNdjson(other), false, String(other));
    }
  });

  it("is one text if it has no lines", () => {
    assert.deepEqual([...framesOf(Buffer.from("[1]\n[é]"), false)], ["[1]\n[é]"]);
    assert.deepEqual([...framesOf(Buffer.alloc(0), false)], [""]);
  });

  it("has no valid text if its bytes are not UTF-8", () => {
    const broken = Buffer.from([0x5b, 0xff, 0x5d]);
    assert.deepEqual([...framesOf(broken, false)], [NO_TEXT]);
    const lines = Buffer.concat([Buffer.from("[1]\n"), broken, Buffer.from("\n[2]")]);
    assert.deepEqual([...framesOf(lines, true)], ["[1]", NO_TEXT, "[2]"]);
  });

  it("may have the line endings of any system, and empty lines, which are ignored", () => {
    assert.deepEqual(linesOf("\n[1]\r\n\r\n[é]\n"), ["[1]", "[é]"]);
    assert.deepEqual(linesOf(""), []);
  });

  it("has padded standard base64 in lines without a bracket", () => {
    assert.deepEqual(linesOf("AQL/\nAA==\n+w=="), [
      Buffer.from([1, 2, 255]),
      Buffer.from([0]),
      Buffer.from([251]),
    ]);
    for (const line of ["!", "{}", "AA", "AA=", "A===", "_w==", "AQL/=", " AA=="]) {
      assert.deepEqual(linesOf(line), [undefined], line);
    }
  });

  it("is read up to 100 lines", () => {
    const lines = Array.from({ length: 120 }, (_, at) => `[${at}]`);
    assert.deepEqual(linesOf(lines.join("\n\n")), lines.slice(0, MAX_LINES));
  });

  it("never throws, and round-trips base64 (property)", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.boolean(), (body, hasLines) => {
        assert.ok([...framesOf(body, hasLines)].length <= MAX_LINES);
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1 }), { maxLength: 20 }), (frames) => {
        const body = frames.map((frame) => Buffer.from(frame).toString("base64")).join("\n");
        assert.deepEqual(
          linesOf(body),
          frames.map((frame) => Buffer.from(frame)),
        );
      }),
    );
  });
});
