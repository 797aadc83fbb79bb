import assert from "node:assert/strict";
import { pbkdf2Sync } from "node:crypto";
import { describe, it } from "node:test";

import { encryptMessage } from "../../src/token/message-encryptor.ts";
import { signMessage } from "../../src/token/message-verifier.ts";
import { encodeTerm } from "../../src/token/term-encoder.ts";
import { Token } from "../../src/token/token.ts";
import { encryptOld } from "../support/old-encryption.ts";

const SECRET = "s".repeat(64);
const SIGNED = { secretKeyBase: SECRET, signingSalt: "signing" };
const ENCRYPTED = { ...SIGNED, encryptionSalt: "encryption" };
const SESSION = { _csrf_token: "abcdefghijklmnopqrstuvwx", user_id: 7 };
const INVALID = { ok: false, reason: "invalid" };

function keyOf(salt: string, length = 32, digest = "sha256", iterations = 1_000): Buffer {
  return pbkdf2Sync(SECRET, salt, iterations, length, digest);
}

describe("verifySession", () => {
  it("reads a session that Plug has written", () => {
    // Written by hand: %{"user_id" => 7}, as encoded by term_to_binary.
    const term = Buffer.from("8374000000016d00000007757365725f69646107", "hex");
    const cookie = signMessage(term, keyOf("signing"));
    assert.match(cookie, /^SFMyNTY\.g3QAAAABbQAAAAd1c2VyX2lkYQc\.[\w-]{43}$/);
    assert.deepEqual(Token.verifySession(cookie, SIGNED), { ok: true, data: { user_id: 7 } });
  });

  it("reads an encrypted session, in the current format and that of plug_crypto 1.x", () => {
    const message = encodeTerm(SESSION);
    const secret = keyOf("encryption");
    const cookies = [
      encryptMessage(message, secret),
      encryptOld(message, { secret, signSecret: keyOf("signing") }),
    ];
    for (const cookie of cookies) {
      assert.deepEqual(Token.verifySession(cookie, ENCRYPTED), { ok: true, data: SESSION });
      assert.deepEqual(Token.verifySession(cookie, SIGNED), INVALID);
      const other = { ...ENCRYPTED, encryptionSalt: "other" };
      assert.deepEqual(Token.verifySession(cookie, other), INVALID);
    }
  });

  it("derives keys with the options of the application", () => {
    const cookie = signMessage(encodeTerm(SESSION), keyOf("signing", 64, "sha512", 10));
    const options = { keyLength: 64, keyDigest: "sha512", keyIterations: 10 } as const;
    assert.equal(Token.verifySession(cookie, { ...SIGNED, ...options }).ok, true);
    assert.deepEqual(Token.verifySession(cookie, SIGNED), INVALID);
  });

  it("reads cookies made with earlier options, if these are given", () => {
    const rotatingOptions = [{ signingSalt: "older" }, ENCRYPTED_WAY, { signingSalt: "oldest" }];
    const options = { ...SIGNED, rotatingOptions };
    for (const salt of ["signing", "older", "oldest"]) {
      const cookie = signMessage(encodeTerm({ salt }), keyOf(salt));
      assert.deepEqual(Token.verifySession(cookie, options), { ok: true, data: { salt } });
    }
    const encrypted = encryptMessage(encodeTerm(SESSION), keyOf("encryption"));
    assert.deepEqual(Token.verifySession(encrypted, options), { ok: true, data: SESSION });
    const other = signMessage(encodeTerm(SESSION), keyOf("other"));
    assert.deepEqual(Token.verifySession(other, options), INVALID);
  });

  it("reports that a cookie is missing, or was not made by the application", () => {
    for (const none of [undefined, null]) {
      assert.deepEqual(Token.verifySession(none, SIGNED), { ok: false, reason: "missing" });
    }
    for (const other of ["", "x", 1, {}, [], "XCP.AAAA", "SFMyNTY.AA.AA"]) {
      assert.deepEqual(Token.verifySession(other, SIGNED), INVALID);
      assert.deepEqual(Token.verifySession(other, ENCRYPTED), INVALID);
    }
    // A Phoenix.Token with the same salt is not a session.
    const token = Token.sign(SECRET, "signing", { user_id: 7 });
    assert.deepEqual(Token.verifySession(token, SIGNED), INVALID);
  });

  it("refuses data that is not a map with strings as keys", () => {
    const others = [null, "x", [], [1], 5, new Map([[1, 2]]), Token.atom("x"), Uint8Array.of(255)];
    for (const other of others) {
      const cookie = signMessage(encodeTerm(other), keyOf("signing"));
      assert.deepEqual(Token.verifySession(cookie, SIGNED), INVALID);
    }
    const noTerm = signMessage(Buffer.from("{}"), keyOf("signing"));
    assert.deepEqual(Token.verifySession(noTerm, SIGNED), INVALID);
  });

  it("throws for options that no application can have, whatever the cookie", () => {
    const wrong = (options: object, message: RegExp): void => {
      for (const cookie of [undefined, "x"]) {
        assert.throws(() => Token.verifySession(cookie, { ...SIGNED, ...options }), {
          code: "SIM_ERR_OPTION_INVALID",
          message,
        });
      }
    };
    wrong(
      { secretKeyBase: "s".repeat(63) },
      /^secretKeyBase must .* 64 \(bytes\), got 63; take the secret_key_base of /,
    );
    wrong({ signingSalt: undefined }, /^signingSalt must be a string, got undefined$/);
    wrong({ encryptionSalt: 5 }, /^encryptionSalt must be a string, got number$/);
    wrong(
      { signing_salt: "x" },
      /^option must be one of .*, got signing_salt; did you mean signingSalt\?$/,
    );
    wrong({ encryptionSalt: "x", keyLength: 64 }, /^keyLength must be 16 or 24 or 32 to decrypt/);
    wrong({ rotatingOptions: [{ signingSalt: 1 }] }, /^signingSalt must be a string, got number$/);
    wrong({ rotatingOptions: [{ ...SIGNED }] }, /^option must be one of .*, got secretKeyBase$/);
    wrong(
      { rotatingOptions: [{ signingSalt: "", keyDigest: "md5" }] },
      /^keyDigest must be one of/,
    );
  });
});

const ENCRYPTED_WAY = { signingSalt: "signing", encryptionSalt: "encryption" };
