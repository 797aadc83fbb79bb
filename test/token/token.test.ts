import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { signMessage } from "../../src/token/message-verifier.ts";
import { KeyCache } from "../../src/token/key-cache.ts";
import { Token } from "../../src/token/token.ts";
import { encryptOld } from "../support/old-encryption.ts";
import { TERMS } from "../support/terms.ts";

const SECRET = "a".repeat(64);
const SALT = "user auth";
const INVALID = { ok: false, reason: "invalid" };
const SHAPE = { iterations: 1_000, lengthBytes: 32, digest: "sha256" } as const;

const KINDS = [
  { name: "a signed token", make: Token.sign, read: Token.verify },
  { name: "an encrypted token", make: Token.encrypt, read: Token.decrypt },
];

/** Cases that throw, each with a secret, a salt, options and the error. */
const WRONG: readonly (readonly [unknown, unknown, object, RegExp])[] = [
  [
    "a".repeat(19),
    SALT,
    {},
    /^secretKeyBase must .* at least 20 \(bytes\), got 19; to make one: node /,
  ],
  [undefined, SALT, {}, /^secretKeyBase must .*, got undefined; to make one: node /],
  [SECRET, undefined, {}, /^salt must be a string, got undefined$/],
  [
    SECRET,
    SALT,
    { max_age: 1 },
    /^option must be one of .*, got max_age; write maxAgeMs, in milliseconds$/,
  ],
  [SECRET, SALT, { maxAge: 1 }, /, got maxAge; write maxAgeMs, in milliseconds$/],
  [SECRET, SALT, { salts: 1 }, /^option must be one of .*, got salts$/],
  [SECRET, SALT, { maxAgeMs: Number.NaN }, /^maxAgeMs must be a number or Infinity/],
  [SECRET, SALT, { maxAgeMs: -Infinity }, /^maxAgeMs must .*, got -Infinity$/],
  [SECRET, SALT, { maxAgeMs: "1" }, /^maxAgeMs must .*, got 1$/],
  [SECRET, SALT, { keyIterations: 0 }, /^keyIterations must .* 1 to 10000000 .*, got 0$/],
  [SECRET, SALT, { keyIterations: 1.5 }, /^keyIterations must .*, got 1.5$/],
  [SECRET, SALT, { keyLength: 0 }, /^keyLength must be an integer from 1 to 1024/],
  [SECRET, SALT, { keyDigest: "md5" }, /^keyDigest must be one of sha256, .*, got md5$/],
];

for (const { name, make, read } of KINDS) {
  describe(name, () => {
    it("can only be read with its secret and salt", () => {
      const token = make(SECRET, SALT, { id: 7 });
      assert.deepEqual(read(SECRET, SALT, token), { ok: true, data: { id: 7 } });
      assert.deepEqual(read("b".repeat(64), SALT, token), INVALID);
      assert.deepEqual(read(SECRET, "other", token), INVALID);
    });

    it("can only be read with the same derivation", () => {
      const options = { keyIterations: 3, keyDigest: "sha384" } as const;
      const token = make(SECRET, SALT, 1, options);
      assert.deepEqual(read(SECRET, SALT, token, options), { ok: true, data: 1 });
      assert.deepEqual(read(SECRET, SALT, token), INVALID);
      assert.deepEqual(read(SECRET, SALT, token, { ...options, keyIterations: 4 }), INVALID);
    });

    it("expires by its age", () => {
      const old = make(SECRET, SALT, 1, { signedAtMs: Date.now() - 100_000, maxAgeMs: 99_000 });
      assert.deepEqual(read(SECRET, SALT, old), { ok: false, reason: "expired" });
      assert.equal(read(SECRET, SALT, old, { maxAgeMs: 10_000_000 }).ok, true);
      assert.equal(read(SECRET, SALT, old, { maxAgeMs: Infinity }).ok, true);
      const fresh = make(SECRET, SALT, 1);
      assert.deepEqual(read(SECRET, SALT, fresh, { maxAgeMs: 0 }), {
        ok: false,
        reason: "expired",
      });
      const early = make(SECRET, SALT, 1, { signedAtMs: Date.now() + 3_600_000 });
      assert.deepEqual(read(SECRET, SALT, early), INVALID);
    });

    it("is valid for a day by default", () => {
      const aged = (ageMs: number): string =>
        make(SECRET, SALT, 1, { signedAtMs: Date.now() - ageMs });
      assert.equal(read(SECRET, SALT, aged(86_000_000)).ok, true);
      assert.deepEqual(read(SECRET, SALT, aged(86_401_000)), { ok: false, reason: "expired" });
    });

    it("may be missing", () => {
      for (const none of [undefined, null]) {
        assert.deepEqual(read(SECRET, SALT, none), { ok: false, reason: "missing" });
      }
    });

    it("is invalid if it is not a string, or too long", () => {
      const token = make(SECRET, SALT, 1);
      const others = ["", 0, 1, true, {}, [token], { token }, Buffer.from(token), () => token];
      for (const other of others) assert.deepEqual(read(SECRET, SALT, other), INVALID);
      const long = signMessage(Buffer.alloc(2 ** 21), new KeyCache(1).derive(SECRET, SALT, SHAPE));
      assert.deepEqual(read(SECRET, SALT, long), INVALID);
    });

    it("can contain the longest possible data", () => {
      const data = "x".repeat(1_048_000);
      assert.deepEqual(read(SECRET, SALT, make(SECRET, SALT, data)), { ok: true, data });
    });

    it("returns the data that it was made from", () => {
      fc.assert(
        fc.property(TERMS, (data) => {
          assert.deepEqual(read(SECRET, SALT, make(SECRET, SALT, data)), { ok: true, data });
        }),
        { numRuns: 300 },
      );
    });

    it("is invalid if a character is changed, removed or duplicated", () => {
      const token = make(SECRET, SALT, { id: 7, roles: [Token.atom("admin")] });
      for (let at = 0; at < token.length; at += 1) {
        const [before, after] = [token.slice(0, at), token.slice(at + 1)];
        const others = ["", ".", "A", "B", "-", "=", "é", "\0", (token[at] as string).repeat(2)];
        // The last character of a part has unused bits.
        others.push(String.fromCodePoint((token.codePointAt(at) as number) ^ 1));
        for (const other of others.filter((text) => text !== token[at])) {
          const changed = before + other + after;
          assert.deepEqual(read(SECRET, SALT, changed), INVALID, `${at}: ${other}`);
        }
        assert.deepEqual(read(SECRET, SALT, before), INVALID);
      }
    });

    it("is invalid for random text", () => {
      const heads = fc.constantFrom("", "SFMyNTY.", "XCP.", "QTEyOEdDTQ.", "SFM1MTI.g2gD");
      const parts = fc.array(fc.base64String(), { maxLength: 6 }).map((all) => all.join("."));
      const texts = fc.tuple(heads, fc.oneof(fc.string(), parts)).map((all) => all.join(""));
      fc.assert(
        fc.property(texts, (text) => {
          assert.deepEqual(read(SECRET, SALT, text), INVALID);
        }),
        { numRuns: 2_000 },
      );
    });

    it("cannot be made from data without a term", () => {
      for (const data of [undefined, Number.NaN, () => 1, new Date(0)]) {
        assert.throws(() => make(SECRET, SALT, data), { code: "SIM_ERR_TERM" });
      }
    });

    it("requires a valid secret, salt and options", () => {
      for (const [secret, salt, options, message] of WRONG) {
        const error = { code: "SIM_ERR_OPTION_INVALID", message };
        assert.throws(() => make(secret as string, salt as string, 1, options), error);
        assert.throws(() => read(secret as string, salt as string, null, options), error);
      }
      for (const [signedAtMs, got] of [
        [Infinity, "Infinity"],
        ["now" as never, "now"],
        [1_700_000_000, "1700000000, which looks like seconds: multiply by 1000"],
      ] as const) {
        assert.throws(() => make(SECRET, SALT, 1, { signedAtMs }), {
          code: "SIM_ERR_OPTION_INVALID",
          message: `signedAtMs must be a time (ms since 1970), got ${got}`,
        });
      }
      assert.deepEqual(read(SECRET, SALT, make(SECRET, SALT, 1, { signedAtMs: 0 })), {
        ok: false,
        reason: "expired",
      });
    });
  });
}

describe("a token", () => {
  it("of one kind cannot be read as the other kind", () => {
    assert.deepEqual(Token.decrypt(SECRET, SALT, Token.sign(SECRET, SALT, 1)), INVALID);
    assert.deepEqual(Token.verify(SECRET, SALT, Token.encrypt(SECRET, SALT, 1)), INVALID);
  });

  it("encrypted by plug_crypto 1.x is read, with keys of every length", () => {
    const payload = Buffer.from("83680361016e06000068e5cf8b016200015180", "hex");
    for (const keyLength of [16, 24, 32]) {
      const shape = { ...SHAPE, lengthBytes: keyLength };
      const secret = new KeyCache(1).derive(SECRET, SALT, shape);
      const token = encryptOld(payload, { secret, signSecret: Buffer.alloc(0) });
      const read = Token.decrypt(SECRET, SALT, token, { keyLength, maxAgeMs: Infinity });
      assert.deepEqual(read, { ok: true, data: 1 });
    }
  });

  it("is encrypted with keys of 32 bytes only, and signed with any", () => {
    const message = /^TypeError: keyLength must be 32 to encrypt \(bytes\), got 16$/;
    assert.throws(() => Token.encrypt(SECRET, SALT, 1, { keyLength: 16 }), message);
    assert.throws(() => Token.decrypt(SECRET, SALT, null, { keyLength: 64 }), /16 or 24 or 32/);
    const token = Token.sign(SECRET, SALT, 1, { keyLength: 64 });
    assert.equal(Token.verify(SECRET, SALT, token, { keyLength: 64 }).ok, true);
  });
});

describe("Token.atom", () => {
  it("returns the same object for the same name", () => {
    assert.equal(Token.atom("user"), Token.atom("user"));
    assert.notEqual(Token.atom("user"), Token.atom("users"));
    assert.ok(Token.atom("user") instanceof Token.Atom);
    assert.equal(String(Token.atom("user")), ":user");
  });

  it("refuses names that no atom can have", () => {
    assert.equal(Token.atom("\u{1f600}".repeat(255)).name.length, 510);
    assert.throws(() => Token.atom("a".repeat(256)), { code: "SIM_ERR_TERM" });
    assert.throws(() => Token.atom("\ud83d"), { code: "SIM_ERR_TERM" });
  });
});

describe("the term classes of Token", () => {
  it("refuse values that Erlang does not have", () => {
    assert.throws(() => new Token.Bitstring(Uint8Array.of(0), 8), { code: "SIM_ERR_TERM" });
    assert.throws(() => new Token.Bitstring(Uint8Array.of(0), 0), { code: "SIM_ERR_TERM" });
    assert.throws(() => new Token.Bitstring(Uint8Array.of(1), 7), { code: "SIM_ERR_TERM" });
    assert.throws(() => new Token.Bitstring(Uint8Array.of(), 1), { code: "SIM_ERR_TERM" });
    assert.throws(() => new Token.ImproperList([], 1), { code: "SIM_ERR_TERM" });
    assert.throws(() => new Token.ImproperList([1], [2]), { code: "SIM_ERR_TERM" });
  });

  it("cannot be replaced", () => {
    assert.ok(Object.isFrozen(Token));
    assert.deepEqual([...Token.tuple(1, "a")], [1, "a"]);
  });
});
