/**
 * Frames as lines, events, and the parser of the client.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { EventParser, type ParsedEvent } from "../../../src/client/event-parser.ts";
import { eventOf, HEARTBEAT, lineOf, tryFrame } from "../../../src/transport/sse/event.ts";

const text = fc.string({ unit: "binary" }).filter((one) => !/\p{Surrogate}/u.test(one));

describe("a frame as a line", () => {
  it("is any text, or any bytes", () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.uint8Array()), (frame) => {
        const line = lineOf(frame);
        assert.doesNotMatch(line, /[\r\n]/);
        assert.notEqual(line, "");
        const read = tryFrame(line);
        if (typeof frame === "string") assert.equal(read, frame);
        else assert.deepEqual([...(read as Uint8Array)], [...frame]);
      }),
    );
  });

  it("is the frame itself if that is JSON of Phoenix", () => {
    const frame = '["1","1","room:1","phx_join",{}]';
    assert.equal(lineOf(frame), frame);
  });

  it("is no frame if it is malformed", () => {
    for (const line of ["=a", "=*", '"', '"a', '"\\ud800"']) {
      assert.equal(tryFrame(line), undefined, line);
    }
  });
});

describe("events", () => {
  it("arrive as they were written, wherever the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(text.map((one) => one.replaceAll(/\r\n?/g, "\n"))),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (all, cuts) => {
          const written = all.map((data, at) => eventOf(at, data) + HEARTBEAT).join("");
          let rest = Buffer.from(written);
          const parser = new EventParser();
          const read: ParsedEvent[] = [];
          for (let at = 0; rest.length > 0; at += 1) {
            const size = cuts[at % cuts.length] ?? 1;
            read.push(...parser.take(rest.subarray(0, size)));
            rest = rest.subarray(size);
          }
          assert.deepEqual(
            read,
            all.map((data, at) => ({ id: String(at), event: "", data })),
          );
        },
      ),
    );
  });

  it("keep their names, and lose blanks after a colon only", () => {
    const events = new EventParser().take(
      Buffer.from("event: open\ndata:  two\n\n:comment\nretry: 5\n\nid: 7\n\ndata\n\n"),
    );
    assert.deepEqual(events, [
      { id: "", event: "open", data: " two" },
      { id: "", event: "", data: "" },
    ]);
  });
});
