/**
 * Tokens made by a running Phoenix, byte for byte.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { KeyCache } from "../../src/token/key-cache.ts";
import { encodeTerm } from "../../src/token/term-encoder.ts";
import type { SignOptions } from "../../src/token/token-options.ts";
import { Token } from "../../src/token/token.ts";

const SECRET = "a".repeat(64);
const SALT = "user auth";
const SIGNED_AT_MS = 1_700_000_000_000;

interface Vector {
  readonly data: unknown;
  readonly options?: SignOptions;
  readonly token: string;
}

const VECTORS: readonly Vector[] = [
  {
    data: 1,
    token: "SFMyNTY.g2gDYQFuBgAAaOXPiwFiAAFRgA.9gShOaPCMVYklRMi2bi1jGGGEQ1n5rsnhPvGUJk-QLQ",
  },
  {
    data: "abc",
    token: "SFMyNTY.g2gDbQAAAANhYmNuBgAAaOXPiwFiAAFRgA.LulDADgZrXMhdamLGOltXtg3ms7jYuefQRCZTpfSCp0",
  },
  {
    data: { id: 7, admin: true },
    token:
      "SFMyNTY.g2gDdAAAAAJtAAAABWFkbWluZAAEdHJ1ZW0AAAACaWRhB24GAABo5c-LAWIAAVGA.qQNPniRZutNc6t_IYQZUUqDHdS2LnVLDsZw8q80bOig",
  },
  {
    data: [1, 2.5, null, "x"],
    token:
      "SFMyNTY.g2gDbAAAAARhAUZABAAAAAAAAGQAA25pbG0AAAABeGpuBgAAaOXPiwFiAAFRgA.J2WBrkIXznwqUcL1Co2BLtISZFkyToUZZOnzU3E58QA",
  },
  {
    data: Token.tuple(Token.atom("user"), 5),
    options: { maxAgeMs: 3_600_000 },
    token:
      "SFMyNTY.g2gDaAJkAAR1c2VyYQVuBgAAaOXPiwFiAAAOEA.ZQKq1klSG_vBztzudnnhiBRbtVCu7TfLlgsZDCr1AWg",
  },
  {
    data: 1,
    options: { keyDigest: "sha512" },
    token: "SFMyNTY.g2gDYQFuBgAAaOXPiwFiAAFRgA.tNtYqQaE1g8bvCtNKV0rWwo5EAIcEjXPiTvg0m0vD2Y",
  },
  {
    data: 1,
    options: { maxAgeMs: Infinity },
    token: "SFMyNTY.g2gDYQFuBgAAaOXPiwFkAAhpbmZpbml0eQ.vEPxjvuPQAvnZXbCb_lSKd3oAvJBxg8xFGdmm17scEA",
  },
];

const ENCRYPTED =
  "XCP.1PSlwT1G2hLEdHfnZbWH7bs6i1Omgh8pEgu51EDyNeIH8hpabrh6iYy6oMUxhWtsSHtFJD64OLfpoHM8iYYFJN2O3U9ixtM";

describe("tokens of a running Phoenix", () => {
  it("are signed by the same key", () => {
    const shape = { iterations: 1_000, lengthBytes: 32, digest: "sha256" } as const;
    assert.equal(
      new KeyCache(1).derive(SECRET, SALT, shape).toString("hex"),
      "31fbb3adecec68c972fd2697491c1a02763359667d5ac06901233fb98a57fb14",
    );
  });

  it("have the same payload", () => {
    const payload = Token.tuple(1, SIGNED_AT_MS, 86_400);
    assert.equal(encodeTerm(payload).toString("hex"), "83680361016e06000068e5cf8b016200015180");
  });

  for (const { data, options = {}, token } of VECTORS) {
    it(`are made by sign: ${token}`, () => {
      assert.equal(Token.sign(SECRET, SALT, data, { signedAtMs: SIGNED_AT_MS, ...options }), token);
    });

    it(`are read by verify: ${token}`, () => {
      const { keyDigest } = options;
      const read = Token.verify(SECRET, SALT, token, { keyDigest, maxAgeMs: Infinity });
      assert.deepEqual(read, { ok: true, data });
      const byItself = Token.verify(SECRET, SALT, token, { keyDigest });
      const expected = options.maxAgeMs === Infinity ? read : { ok: false, reason: "expired" };
      assert.deepEqual(byItself, expected);
    });
  }

  it("are read by decrypt", () => {
    const read = Token.decrypt(SECRET, SALT, ENCRYPTED, { maxAgeMs: Infinity });
    assert.deepEqual(read, { ok: true, data: { id: 7 } });
    const byItself = Token.decrypt(SECRET, SALT, ENCRYPTED);
    assert.deepEqual(byItself, { ok: false, reason: "expired" });
  });
});
