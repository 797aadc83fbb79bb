import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";

import { encryptMessage, tryDecryptMessage } from "../../src/token/message-encryptor.ts";
import { encryptOld } from "../support/old-encryption.ts";

const SECRET = randomBytes(32);
const SIGN_SECRET = randomBytes(32);
const KEYS = { secret: SECRET, signSecret: SIGN_SECRET };
const MESSAGE = Buffer.from("whatever it is");

/** Returns variants of a token: with a part replaced by another one, added, or removed. */
function shuffled(token: string): string[] {
  const parts = token.split(".");
  const swapped = parts.slice(1).map((_, at) => parts.with(at + 1, parts[at] as string).join("."));
  return [...swapped, `${token}.`, `${token}.AA`, `.${token}`, parts.slice(0, -1).join(".")];
}

describe("an encrypted message", () => {
  it("can only be read with its secret", () => {
    const token = encryptMessage(MESSAGE, SECRET);
    assert.match(token, /^XCP\.[\w-]+$/);
    assert.deepEqual(tryDecryptMessage(token, KEYS), MESSAGE);
    const others = { secret: randomBytes(32), signSecret: SIGN_SECRET };
    assert.equal(tryDecryptMessage(token, others), undefined);
    assert.deepEqual(tryDecryptMessage(token, { ...KEYS, signSecret: randomBytes(9) }), MESSAGE);
  });

  it("is different each time", () => {
    const tokens = new Set(Array.from({ length: 20 }, () => encryptMessage(MESSAGE, SECRET)));
    assert.equal(tokens.size, 20);
  });

  it("may be empty", () => {
    const empty = Buffer.alloc(0);
    assert.deepEqual(tryDecryptMessage(encryptMessage(empty, SECRET), KEYS), empty);
  });

  it("is refused if it is too short, or if the key has another length", () => {
    const short = Buffer.alloc(39).toString("base64url");
    assert.equal(tryDecryptMessage(`XCP.${short}`, KEYS), undefined);
    const token = encryptMessage(MESSAGE, SECRET);
    assert.equal(tryDecryptMessage(token, { ...KEYS, secret: randomBytes(16) }), undefined);
    for (const other of shuffled(token)) assert.equal(tryDecryptMessage(other, KEYS), undefined);
  });
});

describe("an encrypted message of plug_crypto 1.x", () => {
  it("is read with both secrets, of every length", () => {
    for (const length of [16, 24, 32]) {
      const keys = { ...KEYS, secret: randomBytes(length), contentKey: randomBytes(length) };
      assert.deepEqual(tryDecryptMessage(encryptOld(MESSAGE, keys), keys), MESSAGE);
    }
    const token = encryptOld(MESSAGE, KEYS);
    assert.equal(tryDecryptMessage(token, { ...KEYS, secret: randomBytes(32) }), undefined);
    assert.equal(tryDecryptMessage(token, { ...KEYS, signSecret: randomBytes(32) }), undefined);
  });

  it("is refused if its parts are swapped, or have other lengths", () => {
    for (const token of shuffled(encryptOld(MESSAGE, KEYS))) {
      assert.equal(tryDecryptMessage(token, KEYS), undefined, token);
    }
    const parts = encryptOld(MESSAGE, KEYS).split(".");
    for (const [at, lengths] of [
      [1, [0, 27, 43, 45, 61]],
      [2, [0, 11, 13, 16]],
      [4, [0, 4, 12, 15, 17]],
    ] as const) {
      for (const length of lengths) {
        const token = parts.with(at, Buffer.alloc(length).toString("base64url")).join(".");
        assert.equal(tryDecryptMessage(token, KEYS), undefined, token);
      }
    }
  });

  it("is refused if it was authenticated with other data", () => {
    const token = encryptOld(MESSAGE, { ...KEYS, additional: "A256GCM" });
    assert.equal(tryDecryptMessage(token, KEYS), undefined);
  });
});
