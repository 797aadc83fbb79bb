/**
 * What leaves of random payloads with random schemas, compared with another validator.
 *
 * `SCHEMA_PAIRS` sets the number of pairs of a schema and a payload, `SCHEMA_SEED` the seed.
 *
 * Runs on: the test's thread.
 * Slow: the other validator compiles hundreds of schemas.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";

import { payloadWriter, type PayloadWriter } from "../../../src/channel/schemas/payload-writer.ts";
import { hasCode } from "../../../src/errors.ts";
import { JsonText } from "../../../src/protocol/json-text.ts";
import { AjvFault, Reference, REFUSED } from "../../support/json-schema-reference.ts";
import { LIBRARIES, randomRecipe } from "../../support/library-schemas.ts";
import { Dice, dressed, randomPayload, randomSchema } from "../../support/random-schemas.ts";

const PAIRS = Number(process.env["SCHEMA_PAIRS"] ?? 12_000);
const SEED = Number(process.env["SCHEMA_SEED"] ?? 1);
const PAYLOADS = 50;

interface Tally {
  unchanged: number;
  filtered: number;
  refused: number;
  /** Schemas that forbid nothing. */
  open: number;
  /** Schemas for which the code that the other validator generates throws. */
  faults: number;
}

/** Compares what leaves of many payloads with one schema. */
function compare(schema: object, dice: Dice, tally: Tally, name: string): void {
  try {
    compareAll(schema, dice, tally, name);
  } catch (error) {
    if (!(error instanceof AjvFault)) throw error;
    tally.faults += 1;
  }
}

function compareAll(schema: object, dice: Dice, tally: Tally, name: string): void {
  const writer = payloadWriter("it", schema);
  const plain = JSON.parse(JSON.stringify(schema)) as object;
  const reference = new Reference(plain);
  if (!writer) tally.open += 1;
  for (let at = 0; at < PAYLOADS; at += 1) {
    const payload = dressed(dice, randomPayload(dice, plain));
    const json: unknown = JSON.parse(JSON.stringify(payload));
    const expected = reference.filtered(json);
    const where = (): string =>
      `${name}: ${JSON.stringify(plain)} with ${JSON.stringify(json)}, payload ${at}`;
    if (!writer) {
      // JSON.stringify writes it, so there must be nothing to remove.
      assert.ok(expected === REFUSED || isDeepStrictEqual(expected, json), where());
      continue;
    }
    const written = leaving(writer, payload);
    if (!isDeepStrictEqual(written, expected)) {
      assert.deepEqual({ written }, { written: expected }, where());
    }
    if (written === REFUSED) {
      assert.ok(!reference.matches(json), `must leave, because it matches: ${where()}`);
      tally.refused += 1;
      continue;
    }
    assert.ok(reference.matches(written), `what leaves must match: ${where()}`);
    assert.ok(isPart(written, json), `what leaves must be a part of the payload: ${where()}`);
    const isUnchanged = isDeepStrictEqual(written, json);
    if (reference.matches(json)) assert.ok(isUnchanged, `must leave unchanged: ${where()}`);
    tally[isUnchanged ? "unchanged" : "filtered"] += 1;
  }
}

function leaving(writer: PayloadWriter, payload: unknown): unknown {
  try {
    const written = writer(payload);
    assert.ok(written instanceof JsonText);
    return JSON.parse(written.text);
  } catch (error) {
    if (hasCode(error, "SIM_ERR_PAYLOAD")) return REFUSED;
    throw error;
  }
}

/** Reports whether a value is another one without some of its fields. */
function isPart(part: unknown, whole: unknown): boolean {
  if (typeof part !== "object" || part === null) return Object.is(part, whole);
  if (typeof whole !== "object" || whole === null) return false;
  if (Array.isArray(part) !== Array.isArray(whole)) return false;
  if (Array.isArray(part) && part.length !== (whole as unknown[]).length) return false;
  return Object.entries(part).every(
    ([name, field]) => Object.hasOwn(whole, name) && isPart(field, (whole as never)[name]),
  );
}

function newTally(): Tally {
  return { unchanged: 0, filtered: 0, refused: 0, open: 0, faults: 0 };
}

describe("what leaves of a payload", () => {
  // As many random schemas as schemas of libraries.
  const kinds = Object.keys(LIBRARIES).length * 2;
  const schemas = Math.ceil(PAIRS / PAYLOADS / kinds);
  const randomSchemas = schemas * Object.keys(LIBRARIES).length;

  it("is what another validator allows, for schemas over every keyword", (context) => {
    const tally = newTally();
    for (let at = 0; at < randomSchemas; at += 1) {
      const dice = new Dice(SEED * 1_000_003 + at);
      compare(randomSchema(dice), dice, tally, `schema ${at} of seed ${SEED}`);
    }
    context.diagnostic(JSON.stringify(tally));
    assert.ok(tally.faults <= randomSchemas / 100, JSON.stringify(tally));
    for (const outcome of ["unchanged", "filtered", "refused"] as const) {
      assert.ok(tally[outcome] > randomSchemas * PAYLOADS * 0.05, JSON.stringify(tally));
    }
  });

  for (const [library, schemaOf] of Object.entries(LIBRARIES)) {
    it(`is what another validator allows, for schemas of ${library}`, (context) => {
      const tally = newTally();
      let count = 0;
      for (let at = 0; count < schemas; at += 1) {
        const dice = new Dice(SEED * 1_000_003 + at);
        const schema = schemaOf(randomRecipe(dice));
        if (!schema) continue;
        compare(schema, dice, tally, `schema ${at} of seed ${SEED}`);
        count += 1;
      }
      context.diagnostic(JSON.stringify(tally));
      for (const outcome of ["unchanged", "filtered", "refused"] as const) {
        assert.ok(tally[outcome] > schemas * PAYLOADS * 0.05, JSON.stringify(tally));
      }
    });
  }
});
