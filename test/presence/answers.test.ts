/**
 * Deltas that are split into parts: each part alone, and all of them together.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { array, assert as check, boolean, integer, property } from "fast-check";

import { partsOf as partsInTurn } from "../../src/presence/answers.ts";
import { bytesOf, type Delta, type DeltaRow, type Replica } from "../../src/presence/replica.ts";
import { State } from "../../src/presence/state.ts";

function rowOf(dot: number, filler = ""): DeltaRow {
  return { dot, topic: "room", key: `k${dot}`, meta: { phx_ref: `r${dot}`, filler } };
}

function partsOf(delta: Delta, maxBytes: number): Delta[] {
  return [...partsInTurn(delta, maxBytes)];
}

function merged(parts: readonly Delta[]): { readonly through: number; readonly dots: number[] } {
  const state = new State({ node: "b", member: 2, incarnation: 1 }, 10);
  const replica = state.add({ node: "a", member: 2, incarnation: 1 });
  for (const part of parts) state.merge(replica, part);
  return { through: replica.seen.through, dots: dotsOf(replica) };
}

function dotsOf({ rows }: Replica): number[] {
  return [...rows.keys()].toSorted((one, other) => one - other);
}

describe("A delta", () => {
  it("is one part if it is small or empty", () => {
    const delta: Delta = { spans: [[0, 9]], rows: [rowOf(3), rowOf(7)] };
    assert.deepEqual(
      partsOf(delta, 1_000).map(({ rows }) => rows.length),
      [2],
    );
    assert.equal(partsOf({ spans: [], rows: [] }, 1_000).length, 1);
  });

  it("is split between rows if it is larger, and each part covers its rows", () => {
    const rows = [1, 2, 5, 9].map((dot) => rowOf(dot, "x".repeat(50)));
    const parts = partsOf({ spans: [[0, 12]], rows }, bytesOf(rowOf(1, "x".repeat(50))) + 30);
    assert.deepEqual(
      parts.map(({ spans, rows: some }) => [spans, some.map(({ dot }) => dot)]),
      [
        [[[0, 1]], [1]],
        [[[1, 4]], [2]],
        [[[4, 8]], [5]],
        [[[8, 12]], [9]],
      ],
    );
  });

  it("gives a row that is larger than a part a part of its own", () => {
    const rows = [rowOf(1), rowOf(2, "x".repeat(900)), rowOf(3)];
    const parts = partsOf({ spans: [[0, 3]], rows }, 200);
    assert.deepEqual(
      parts.map(({ rows: some }) => some.map(({ dot }) => dot)),
      [[1], [2], [3]],
    );
  });

  it("gives the same result in parts as in one piece, merged in any order", () => {
    const ticks = array(boolean(), { maxLength: 40 });
    check(
      property(
        ticks,
        array(integer({ min: 1, max: 40 })),
        integer({ min: 1, max: 400 }),
        (rows, gone, bytes) => {
          const standing = rows.flatMap((isRow, at) => (isRow ? [rowOf(at + 41)] : []));
          const single = [...new Set(gone)].toSorted((one, other) => one - other);
          const delta: Delta = {
            spans: [...single.map((dot) => [dot - 1, dot] as const), [40, 40 + rows.length]],
            rows: standing,
          };
          const before: Delta = {
            spans: [[0, 40]],
            rows: Array.from({ length: 40 }, (_, at) => rowOf(at + 1)),
          };
          const parts = partsOf(delta, bytes);
          const whole = merged([before, delta]);
          assert.deepEqual(merged([before, ...parts]), whole);
          assert.deepEqual(merged([...parts.toReversed(), before, ...parts]), whole);
          for (const { spans, rows: some } of parts) {
            for (const { dot } of some)
              assert.ok(spans.some(([after, to]) => dot > after && dot <= to));
          }
        },
      ),
    );
  });
});
