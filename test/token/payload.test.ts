import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { LATEST_MS, packPayload, unpackPayload } from "../../src/token/payload.ts";
import { encodeTerm } from "../../src/token/term-encoder.ts";
import { Atom, Tuple, type Term } from "../../src/token/terms.ts";

const SIGNED_MS = 1_700_000_000_000;
const DAY_MS = 86_400_000;
const EXPIRED = { ok: false, reason: "expired" };
const INVALID = { ok: false, reason: "invalid" };

/** Returns the result for data that is valid until a time, or forever. */
function holds(expiresAtMs: number | undefined): object {
  return { ok: true, data: "x", expiresAtMs };
}

function tuple(...elements: Term[]): Buffer {
  return encodeTerm(new Tuple(elements));
}

function legacyMap(data: Term | undefined, signed: Term | undefined): Buffer {
  const map = new Map<Term, Term>([[Atom.of("more"), 1]]);
  if (data !== undefined) map.set(Atom.of("data"), data);
  if (signed !== undefined) map.set(Atom.of("signed"), signed);
  return encodeTerm(map);
}

describe("a payload", () => {
  it("contains its age in seconds, as Phoenix writes it, with a fraction if necessary", () => {
    for (const [maxAgeMs, age] of [
      [86_400_000, 86_400],
      [1_500, 1.5],
      [-1_000, -1],
      [Infinity, Atom.of("infinity")],
    ] as const) {
      assert.deepEqual(packPayload("x", SIGNED_MS, maxAgeMs), tuple("x", SIGNED_MS, age));
    }
  });

  it("is valid as long as it says, to the millisecond", () => {
    const payload = packPayload("x", SIGNED_MS, 3_600_000);
    assert.deepEqual(unpackPayload(payload, undefined, SIGNED_MS), holds(SIGNED_MS + 3_600_000));
    const half = tuple("x", SIGNED_MS, 0.5);
    assert.deepEqual(unpackPayload(half, undefined, SIGNED_MS + 500), holds(SIGNED_MS + 500));
    assert.deepEqual(unpackPayload(half, undefined, SIGNED_MS + 501), EXPIRED);
    assert.deepEqual(
      unpackPayload(payload, undefined, SIGNED_MS + 3_600_000),
      holds(SIGNED_MS + 3_600_000),
    );
    assert.deepEqual(unpackPayload(payload, undefined, SIGNED_MS + 3_600_001), EXPIRED);
  });

  it("is valid as long as its reader says, if the reader says anything", () => {
    const payload = packPayload("x", SIGNED_MS, 3_600_000);
    assert.deepEqual(unpackPayload(payload, 1_000, SIGNED_MS + 1_000), holds(SIGNED_MS + 1_000));
    assert.deepEqual(unpackPayload(payload, 1_000, SIGNED_MS + 1_001), EXPIRED);
    assert.deepEqual(
      unpackPayload(payload, 7_200_000, SIGNED_MS + 3_600_001),
      holds(SIGNED_MS + 7_200_000),
    );
    assert.deepEqual(unpackPayload(payload, Infinity, SIGNED_MS + 10 ** 12), holds(undefined));
    assert.deepEqual(unpackPayload(payload, 500, SIGNED_MS + 500), holds(SIGNED_MS + 500));
    assert.deepEqual(unpackPayload(payload, 500, SIGNED_MS + 501), EXPIRED);
  });

  it("is never valid for zero or less", () => {
    for (const age of [0, -1]) {
      assert.deepEqual(unpackPayload(packPayload("x", SIGNED_MS, 9_000), age, SIGNED_MS), EXPIRED);
      assert.deepEqual(unpackPayload(packPayload("x", SIGNED_MS, age), undefined, 0), EXPIRED);
    }
  });

  it("is not valid yet if it was signed in the future, unless its age is infinite", () => {
    const payload = packPayload("x", SIGNED_MS, 3_600_000);
    assert.deepEqual(unpackPayload(payload, undefined, SIGNED_MS - 1), INVALID);
    assert.deepEqual(unpackPayload(payload, Infinity, SIGNED_MS - 1), holds(undefined));
    assert.deepEqual(
      unpackPayload(packPayload("x", SIGNED_MS, Infinity), undefined, 0),
      holds(undefined),
    );
  });

  it("is read in the formats of earlier versions, which are valid for a day", () => {
    for (const payload of [tuple("x", SIGNED_MS), legacyMap("x", SIGNED_MS)]) {
      assert.deepEqual(
        unpackPayload(payload, undefined, SIGNED_MS + DAY_MS),
        holds(SIGNED_MS + DAY_MS),
      );
      assert.deepEqual(unpackPayload(payload, undefined, SIGNED_MS + DAY_MS + 1), EXPIRED);
      assert.deepEqual(unpackPayload(payload, Infinity, SIGNED_MS + DAY_MS + 1), holds(undefined));
    }
  });

  it("may contain any data, including nil", () => {
    assert.deepEqual(unpackPayload(tuple(null, SIGNED_MS, 1), 1_000, SIGNED_MS).ok, true);
    assert.deepEqual(unpackPayload(legacyMap(null, SIGNED_MS), 1_000, SIGNED_MS).ok, true);
  });

  it("is invalid in any other format", () => {
    const others = [
      tuple(),
      tuple("x"),
      tuple("x", SIGNED_MS, 1, 1),
      tuple("x", "now", 1),
      tuple("x", null, Atom.of("infinity")),
      tuple("x", SIGNED_MS, null),
      tuple("x", SIGNED_MS, Atom.of("never")),
      tuple("x", SIGNED_MS, "infinity"),
      tuple("x", 2n ** 70n, 1),
      legacyMap(undefined, SIGNED_MS),
      legacyMap("x", undefined),
      encodeTerm({ data: "x", signed: SIGNED_MS }),
      encodeTerm(["x", SIGNED_MS, 1]),
      encodeTerm("x"),
      encodeTerm(null),
      Buffer.from("x"),
      Buffer.alloc(0),
    ];
    for (const other of others) {
      assert.deepEqual(unpackPayload(other, undefined, SIGNED_MS), INVALID, other.toString("hex"));
    }
  });

  it("may be signed at any number", () => {
    assert.deepEqual(unpackPayload(tuple("x", -(2n ** 70n), 1), undefined, 0), EXPIRED);
    assert.deepEqual(
      unpackPayload(tuple("x", SIGNED_MS, 2n ** 70n), undefined, SIGNED_MS),
      holds(LATEST_MS),
    );
    assert.deepEqual(
      unpackPayload(tuple("x", SIGNED_MS, 2n ** 7_000n), undefined, SIGNED_MS),
      holds(LATEST_MS),
    );
  });
});
