/**
 * Tokens of Phoenix, as `connect` verifies them.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { StandardSchemaV1 } from "@standard-schema/spec";

import { ok } from "../../src/index.ts";
import { Token, verifyPhoenixToken, type PhoenixTokenResult } from "../../src/token/index.ts";

const SECRET = "s".repeat(64);
const SALT = "user auth";
/** A request to connect. */
const REQUEST = { context: { secretKeyBase: SECRET } };
const NOW_MS = Date.now();

/** A schema whose answer is a function of the test. */
function schemaOf<Output>(
  validate: (
    value: unknown,
  ) => StandardSchemaV1.Result<Output> | Promise<StandardSchemaV1.Result<Output>>,
): StandardSchemaV1<unknown, Output> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

const userId = schemaOf<number>((value) =>
  typeof value === "number" ? { value } : { issues: [{ message: "must be a number" }] },
);

describe("verifyPhoenixToken", () => {
  it("returns the data of a token, and when it expires, in milliseconds", () => {
    const token = Token.sign(SECRET, SALT, { id: 7 }, { signedAtMs: NOW_MS, maxAgeMs: 600_000 });
    const expected = { ok: true, data: { id: 7 }, expiresAtMs: NOW_MS + 600_000 };
    assert.deepEqual(verifyPhoenixToken(REQUEST, token, { salt: SALT }), expected);
    // From other holders of the secret.
    assert.deepEqual(
      verifyPhoenixToken({ secretKeyBase: SECRET }, token, { salt: SALT }),
      expected,
    );
    const shorter = verifyPhoenixToken(REQUEST, token, { salt: SALT, maxAgeMs: 60_000 });
    assert.ok(shorter.ok);
    assert.equal(shorter.expiresAtMs, NOW_MS + 60_000);
    assert.equal(ok({}, shorter).expiresAtMs, NOW_MS + 60_000);
  });

  it("returns no expiry for tokens that never expire, and the latest Date for those that expire after it", () => {
    const ends = [Infinity, 1e300].map((maxAgeMs) => {
      const token = Token.sign(SECRET, SALT, 7, { maxAgeMs });
      const result = verifyPhoenixToken(REQUEST, token, { salt: SALT });
      assert.ok(result.ok);
      return ok({}, result).expiresAtMs;
    });
    assert.deepEqual(ends, [undefined, 8.64e15]);
  });

  it("reads encrypted tokens if it is told to", () => {
    const token = Token.encrypt(SECRET, SALT, 7);
    const result = verifyPhoenixToken(REQUEST, token, { salt: SALT, encrypted: true });
    assert.ok(result.ok);
    assert.equal(result.data, 7);
    const signed = verifyPhoenixToken(REQUEST, token, { salt: SALT });
    assert.equal(signed.ok ? "ok" : signed.reason, "invalid");
  });

  it("returns why a token is refused, for a client and for a log", () => {
    const refusals: readonly [unknown, string, string][] = [
      [undefined, "missing", "there is no token"],
      [null, "missing", "there is no token"],
      [
        "x",
        "invalid",
        "the token was not made with this secret, salt and derivation, or was changed",
      ],
      [
        Token.sign(SECRET, SALT, 7, { signedAtMs: 1_700_000_000_000 }),
        "expired",
        "the token is too old",
      ],
    ];
    for (const [token, reason, detail] of refusals) {
      const result = verifyPhoenixToken(REQUEST, token, { salt: SALT });
      assert.deepEqual(result, { ok: false, reason, detail });
    }
  });

  it("checks the data with a schema, and types it", () => {
    const good = Token.sign(SECRET, SALT, 7);
    const result: PhoenixTokenResult<number> = verifyPhoenixToken(REQUEST, good, {
      salt: SALT,
      schema: userId,
    });
    assert.ok(result.ok);
    assert.equal(result.data.toFixed(1), "7.0");
    const bad = Token.sign(SECRET, SALT, "seven");
    assert.deepEqual(verifyPhoenixToken(REQUEST, bad, { salt: SALT, schema: userId }), {
      ok: false,
      reason: "invalid_data",
      detail: "must be a number",
      issues: [{ message: "must be a number" }],
    });
  });

  it("does not call the schema for a token that is not valid", () => {
    const schema = schemaOf((): never => assert.fail("asked"));
    assert.equal(verifyPhoenixToken(REQUEST, "x", { salt: SALT, schema }).ok, false);
  });

  it("throws for wrong options: an unknown name, an invalid schema, an asynchronous one", () => {
    const token = Token.sign(SECRET, SALT, 7);
    const late = schemaOf(async () => Promise.reject(new Error("late")));
    const wrong: readonly [object, RegExp][] = [
      [{ salt: SALT, max_age: 60 }, /option must be one of salt, .* got max_age/],
      [{}, /salt must be a string/],
      [{ salt: SALT, schema: 7 }, /schema must be a Standard Schema, got number/],
      [{ salt: SALT, schema: late }, /schema must be synchronous, got a promise/],
    ];
    for (const [options, message] of wrong) {
      assert.throws(() => verifyPhoenixToken(REQUEST, token, options as { salt: string }), {
        code: "SIM_ERR_OPTION_INVALID",
        message,
      });
    }
  });
});
