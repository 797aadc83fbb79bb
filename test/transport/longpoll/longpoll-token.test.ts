import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { Token } from "../../../src/token/token.ts";
import { LongPollTokens } from "../../../src/transport/longpoll/longpoll-token.ts";

const SECRET = "abcdefgh".repeat(8);
const PATH = "/socket/longpoll";
const SALT = `simurgh long-poll ${PATH}`;
const PLACE = { node: "n", member: 3, generation: 70_000, number: 17, secret: "abcdefghijklmnop" };
const tokens = new LongPollTokens(SECRET, PATH, 60_000);

describe("the token of a session", () => {
  it("contains the place that it was signed for, with numbers of more than 32 bits too", () => {
    assert.deepEqual(tokens.tryRead(tokens.sign(PLACE)), PLACE);
    const far = { ...PLACE, number: 3 + 2 * (2 ** 36 * 5 + 1) };
    assert.deepEqual(tokens.tryRead(tokens.sign(far)), far);
  });

  it("is invalid with another secret, if it was changed, or too old", () => {
    const token = tokens.sign(PLACE);
    const others = new LongPollTokens("x".repeat(64), PATH, 60_000);
    assert.equal(others.tryRead(token), undefined);
    assert.equal(tokens.tryRead(`${token}x`), undefined);
    assert.equal(new LongPollTokens(SECRET, PATH, 0).tryRead(token), undefined);
  });

  it("is not valid at another mount", () => {
    const others = new LongPollTokens(SECRET, "/other/longpoll", 60_000);
    assert.equal(others.tryRead(tokens.sign(PLACE)), undefined);
  });

  it("is valid only with a key that is derived the same way", () => {
    const ways = [{ keyIterations: 7 }, { keyLength: 64 }, { keyDigest: "sha512" }] as const;
    for (const crypto of ways) {
      const own = new LongPollTokens(SECRET, PATH, 60_000, crypto);
      assert.deepEqual(own.tryRead(own.sign(PLACE)), PLACE);
      assert.equal(own.tryRead(tokens.sign(PLACE)), undefined);
      assert.equal(tokens.tryRead(own.sign(PLACE)), undefined);
    }
  });

  it("is invalid if it was signed for something else", () => {
    for (const data of ["v1", Token.tuple(Token.atom("v2"), "n", 3, 0, 17, "s"), null, 7]) {
      assert.equal(tokens.tryRead(Token.sign(SECRET, SALT, data)), undefined);
    }
    assert.equal(tokens.tryRead(Token.sign(SECRET, "user auth", "x")), undefined);
  });

  it("never throws, whatever it is (property)", () => {
    const token = tokens.sign(PLACE);
    fc.assert(fc.property(fc.anything(), (given) => tokens.tryRead(given) === undefined));
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.string({ maxLength: 3 }), (at, text) => {
        const changed = token.slice(0, at) + text + token.slice(at + 1);
        return changed === token || tokens.tryRead(changed) === undefined;
      }),
    );
  });
});
