/**
 * The ticks of a clock that have been seen: spans in any order, compared with a plain set of ticks.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { array, assert as check, nat, property, tuple } from "fast-check";

import { Seen, type Span } from "../../src/presence/replica.ts";

function seenOf(...spans: Span[]): Seen {
  const seen = new Seen();
  for (const span of spans) seen.add(span);
  return seen;
}

describe("The ticks that have been seen", () => {
  it("grow with each span that follows", () => {
    const seen = seenOf([0, 1], [1, 2], [2, 5]);
    assert.equal(seen.through, 5);
    assert.deepEqual(seen.spans(), [[0, 5]]);
  });

  it("have a hole if something was missed, until it arrives", () => {
    const seen = seenOf([0, 2], [4, 6]);
    assert.equal(seen.through, 2);
    assert.equal(seen.last, 6);
    assert.deepEqual(
      [2, 3, 4, 5, 6, 7].map((tick) => seen.has(tick)),
      [true, false, false, true, true, false],
    );
    seen.add([2, 4]);
    assert.equal(seen.through, 6);
  });

  it("are empty at first", () => {
    const seen = new Seen();
    assert.deepEqual([seen.through, seen.last, seen.has(1), seen.spans()], [0, 0, false, []]);
  });

  it("ignore an empty span", () => {
    assert.deepEqual(seenOf([3, 3], [5, 4]).spans(), []);
  });

  it("are the same in whatever order, and however often, spans arrive", () => {
    const span = tuple(nat(12), nat(5)).map(([after, length]): Span => [after, after + length]);
    check(
      property(array(span, { maxLength: 12 }), (spans) => {
        const seen = seenOf(...spans);
        const ticks = new Set(
          spans.flatMap(([after, to]) =>
            Array.from({ length: to - after }, (_, at) => after + at + 1),
          ),
        );
        for (let tick = 1; tick <= 20; tick += 1) assert.equal(seen.has(tick), ticks.has(tick));
        assert.equal(seen.last, Math.max(0, ...ticks));
        let through = 0;
        while (ticks.has(through + 1)) through += 1;
        assert.equal(seen.through, through);
        const again = seenOf(...spans.toReversed(), ...spans);
        assert.deepEqual(again.spans(), seen.spans());
        // In order, and not adjacent.
        const bounds = seen.spans().flat();
        assert.deepEqual(
          bounds,
          [...new Set(bounds)].toSorted((one, other) => one - other),
        );
      }),
    );
  });
});
