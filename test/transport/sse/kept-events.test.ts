/**
 * The events of a session: what waits, what is kept, and what is forgotten.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { KeptEvents } from "../../../src/transport/sse/kept-events.ts";

function filled(...texts: readonly string[]): KeptEvents {
  const events = new KeptEvents();
  for (const text of texts) events.push(text);
  return events;
}

describe("the events of a session", () => {
  it("are taken in order, at least one, and more while they fit", () => {
    const events = filled("aa", "bb", "c", "long");
    assert.equal(events.take(5), "aabbc");
    assert.equal(events.take(1), "long");
    assert.deepEqual([events.hasWaiting, events.waitingBytes, events.heldBytes], [false, 0, 9]);
  });

  it("count bytes, not characters", () => {
    assert.equal(filled("ä€").waitingBytes, 5);
  });

  it("wait again if the client comes back with an earlier number", () => {
    const events = filled("1", "2", "3", "4");
    events.take(3);
    events.rewind(1);
    assert.deepEqual([events.sent, events.waitingBytes, events.heldBytes], [1, 3, 3]);
    assert.equal(events.take(9), "234");
    assert.equal(events.has(0), false);
  });

  it("are sent if the client has them already", () => {
    const events = filled("1", "2", "3");
    events.rewind(2);
    assert.equal(events.take(9), "3");
  });

  it("are forgotten only if they were sent", () => {
    const events = filled("1", "2", "3");
    events.take(2);
    events.forget(3);
    events.trim(0);
    assert.deepEqual([events.has(1), events.has(2), events.has(3)], [false, true, true]);
    assert.equal(events.take(9), "3");
  });

  it("know no numbers that were never given", () => {
    const events = filled("1");
    for (const number of [-1, 2, 0.5, Number.NaN, Infinity])
      assert.equal(events.has(number), false);
  });

  it("are those of a plain list, whatever happens", () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("push" as const), text: fc.string({ maxLength: 5 }) }),
      fc.record({ do: fc.constant("take" as const), bytes: fc.nat(20) }),
      fc.record({ do: fc.constant("trim" as const), bytes: fc.nat(20) }),
      fc.record({ do: fc.constant("rewind" as const), back: fc.nat(10) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const events = new KeptEvents();
        const all: string[] = [];
        let [first, sent] = [1, 0];
        const size = (from: number, to: number): number =>
          Buffer.byteLength(all.slice(from - 1, to).join(""));
        for (const one of steps) {
          if (one.do === "push") {
            all.push(`${one.text}.`);
            events.push(`${one.text}.`);
          } else if (one.do === "take") {
            const text = events.take(one.bytes);
            assert.equal(text, all.slice(sent, events.sent).join(""));
            assert.ok(events.sent > sent || sent === all.length);
            ({ sent } = events);
          } else if (one.do === "trim") {
            events.trim(one.bytes);
            while (size(first, sent) > one.bytes) first += 1;
          } else {
            const after = all.length - one.back;
            assert.equal(events.has(after), after >= first - 1);
            if (after < first - 1) continue;
            events.rewind(after);
            [first, sent] = [after + 1, after];
          }
          assert.equal(events.waitingBytes, size(sent + 1, all.length));
          assert.equal(events.heldBytes, size(first, all.length));
        }
      }),
    );
  });
});
