import assert from "node:assert/strict";
import { pbkdf2Sync } from "node:crypto";
import { describe, it } from "node:test";

import { KeyCache, type KeyShape } from "../../src/token/key-cache.ts";

const SHAPE: KeyShape = { iterations: 2, lengthBytes: 32, digest: "sha256" };

describe("KeyCache", () => {
  it("derives a key once", () => {
    const keys = new KeyCache(2);
    const key = keys.derive("secret", "salt", SHAPE);
    assert.deepEqual(key, pbkdf2Sync("secret", "salt", 2, 32, "sha256"));
    assert.equal(keys.derive("secret", "salt", { ...SHAPE }), key);
    assert.equal(keys.count, 1);
  });

  it("derives a different key for each secret, salt and shape", () => {
    const keys = new KeyCache(10);
    const made = [
      keys.derive("secret", "salt", SHAPE),
      keys.derive("secrets", "alt", SHAPE),
      keys.derive("secret", "salt", { ...SHAPE, iterations: 3 }),
      keys.derive("secret", "salt", { ...SHAPE, lengthBytes: 16 }),
      keys.derive("secret", "salt", { ...SHAPE, digest: "sha384" }),
      keys.derive("secret", "salt", { ...SHAPE, digest: "sha512" }),
      keys.derive('secret","salt', "", SHAPE),
    ];
    assert.equal(new Set(made.map((key) => key.toString("hex"))).size, made.length);
    assert.equal(keys.count, made.length);
  });

  it("drops the least recently used key when it is full", () => {
    const keys = new KeyCache(2);
    const first = keys.derive("secret", "1", SHAPE);
    const second = keys.derive("secret", "2", SHAPE);
    assert.equal(keys.derive("secret", "1", SHAPE), first);
    keys.derive("secret", "3", SHAPE);
    assert.equal(keys.count, 2);
    assert.equal(keys.derive("secret", "1", SHAPE), first);
    assert.notEqual(keys.derive("secret", "2", SHAPE), second);
    assert.equal(keys.count, 2);
  });
});
