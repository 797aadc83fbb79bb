/**
 * Payloads as clients wrote them: where they are found in a frame, and when they are not searched.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { jsonV1 } from "../../src/protocol/json-v1.ts";
import { jsonV2 } from "../../src/protocol/json-v2.ts";

/** Returns the text of a frame's payload, as the server requests it. */
function textIn(frame: string): string | undefined {
  const message = jsonV2.decode(frame);
  assert.ok(message, `${frame} is malformed`);
  return jsonV2.payloadText?.(frame, message);
}

/** Returns a payload with this many levels, and more than 4 096 UTF-16 units. */
function nested(levels: number): string {
  return `${"[".repeat(levels)}"${"x".repeat(4_096)}"${"]".repeat(levels)}`;
}

describe("the text of a payload", () => {
  it("is exactly what follows four scalars", () => {
    for (const [frame, text] of [
      ['["1","2","room:1","e",{"a":1}]', '{"a":1}'],
      ['[null,null,"t","e",[1, 2]]', "[1, 2]"],
      ['[1,-2.5e+3,true,false,"]"]', '"]"'],
      ['["1","2","t","e",null]', "null"],
      ['["1","2","t","e",1.50]', "1.50"],
      ['["1","2","t","e",{}]', "{}"],
      ['["","","","",""]', '""'],
      ['["1","2","t","e",{"a" : 1,"a":\t2, "big":12345678901234567890}]', undefined],
    ] as const) {
      assert.equal(textIn(frame), text ?? frame.slice(17, -1), frame);
    }
  });

  it("starts after strings that contain quotes, commas and brackets", () => {
    for (const part of [
      '"',
      "\\",
      '\\"',
      '",',
      "[{]}",
      '",{"x":1}]',
      "\\\\",
      "é\u2028\ud83c\udf89",
    ]) {
      const json = JSON.stringify(part);
      assert.equal(textIn(`[${json},${json},${json},${json},{"n":1}]`), '{"n":1}', json);
    }
    assert.equal(textIn('["\\u0022,","\\/","\\\\","\\"",{"n":1}]'), '{"n":1}');
  });

  it("has no spaces around it, and no line breaks in it", () => {
    assert.equal(
      textIn(' \t\r\n[ "1" ,\n"2"\t, "t" ,\r"e" , {"a": "b c"} \n] \r\n'),
      '{"a": "b c"}',
    );
    assert.equal(
      textIn('["1","2","t","e",{"a":\r\n[null,null,"room:2","said",{}]\n}]'),
      '{"a":  [null,null,"room:2","said",{}] }',
    );
    assert.equal(textIn('["1","2","t","e","\\r\\n"]'), '"\\r\\n"');
  });

  it("is not searched after more than five elements, or after refs that are lists or objects", () => {
    assert.equal(textIn('["1","2","t","e",{"n":1},{"m":2}]'), undefined);
    assert.equal(textIn('["1","2","t","e",{"n":1},null,6]'), undefined);
    assert.equal(textIn('[["1"],"2","t","e",{}]'), undefined);
    assert.equal(textIn('["1", {"a":","},"t","e",{}]'), undefined);
    assert.equal(textIn('["1","2",["t"],"e",{}]'), undefined);
    assert.equal(textIn('["1","2","t",{},{}]'), undefined);
  });

  it("is not used if it may be nested too deep to be written again", () => {
    assert.equal(textIn(`["1","2","t","e",${nested(2_048)}]`), nested(2_048));
    assert.equal(textIn(`["1","2","t","e",${nested(2_049)}]`), undefined);
    assert.equal(
      textIn(`["1","2","t","e",{"a":${nested(1_024)},"b":${nested(1_024)}}]`),
      undefined,
    );
    const flat = JSON.stringify(Array.from({ length: 9_000 }, () => "x"));
    assert.equal(textIn(`["1","2","t","e",${flat}]`), flat);
  });

  it("does not exist in version 1", () => {
    assert.equal(jsonV1.payloadText, undefined);
  });

  it("is the source, and parses to the payload, for any frame of five elements", () => {
    const space = fc.string({ unit: fc.constantFrom(" ", "\t", "\n", "\r"), maxLength: 3 });
    const text = fc.string({ unit: "binary" }).map((one) => JSON.stringify(one));
    const scalar = fc.oneof(
      text,
      text.map((json) => json.replaceAll("z", "\\u007a")),
      fc.constantFrom("null", "true", "false", "0", "-1", "1.5e-7"),
      fc.integer().map(String),
    );
    const payload = fc
      .tuple(fc.jsonValue(), fc.constantFrom(0, 1, "\t"))
      .map(([value, indent]) => JSON.stringify(value, undefined, indent));
    const parts = fc.array(fc.tuple(space, scalar, space), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(parts, payload, space, (head, source, around) => {
        const items = [...head.map((part) => part.join("")), `${around}${source}${around}`];
        const frame = `${around}[${items.join(",")}]${around}`;
        const found = textIn(frame);
        assert.equal(found, source.replaceAll("\n", " "));
        assert.deepEqual(JSON.parse(found), jsonV2.decode(frame)?.payload);
      }),
    );
  });
});
