import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { tryTakeAuthToken } from "../../../src/transport/handshake/auth-token.ts";
import { headWith } from "../../support/head.ts";

const HEADER = "sec-websocket-protocol";
const PREFIX = "base64url.bearer.phx.";

/** Takes the token from an offer; returns it and the remaining offer. */
function taken(...offers: readonly string[]): readonly [string | null, string[]] | undefined {
  const headers = offers.map((offer) => [HEADER, offer] as const);
  const result = tryTakeAuthToken(headWith(["host", "x"], ...headers, ["upgrade", "y"]));
  if (!result) return undefined;
  const left = result.head.headers.filter(([name]) => name === HEADER).map(([, value]) => value);
  assert.equal(result.head.headers.length, 2 + left.length);
  return [result.token, left];
}

/** Encodes a token as the official client does. */
function encoded(token: string): string {
  return btoa(token).replaceAll("=", "");
}

describe("an auth token", () => {
  it("is removed from the subprotocols, even if it is the only one", () => {
    const entry = PREFIX + encoded("s3cret");
    assert.deepEqual(taken(`phoenix, ${entry}`), ["s3cret", ["phoenix"]]);
    assert.deepEqual(taken(`${entry},a , b`), ["s3cret", ["a, b"]]);
    assert.deepEqual(taken(entry), ["s3cret", []]);
    assert.deepEqual(taken(PREFIX), ["", []]);
  });

  it("is null if there is none, or more than one; the offer stays as it is", () => {
    assert.deepEqual(taken(), [null, []]);
    assert.deepEqual(taken("phoenix"), [null, ["phoenix"]]);
    const two = `${PREFIX}YQ, ${PREFIX}Yg, phoenix`;
    assert.deepEqual(taken(two), [null, [two]]);
    assert.deepEqual(taken(`${PREFIX.toUpperCase()}YQ`), [null, [`${PREFIX.toUpperCase()}YQ`]]);
  });

  it("may use either base64 alphabet, with or without padding", () => {
    const text = "??>>~~";
    const standard = btoa(text);
    assert.match(standard, /[+/]/);
    const urlSafe = Buffer.from(text).toString("base64url");
    for (const form of [standard, urlSafe, "Pz8+Pn5+", "Pz8-Pn5+"]) {
      assert.deepEqual(taken(PREFIX + form), [text, []], form);
    }
    assert.deepEqual(taken(`${PREFIX}YQ==`), ["a", []]);
  });

  it("is invalid if it is not base64", () => {
    for (const wrong of ["!", "a b", "YQ=a", "YQ===", "Y", "YWJjZ", "é"]) {
      const offered = taken(PREFIX + wrong);
      assert.equal(offered, undefined, wrong);
    }
  });

  it("is the client's text, ASCII or not", () => {
    assert.deepEqual(taken(PREFIX + encoded("é")), ["é", []]);
    assert.deepEqual(taken(PREFIX + Buffer.from("🙂").toString("base64url")), ["🙂", []]);
    const texts = fc.string({ unit: "binary-ascii" });
    fc.assert(
      fc.property(texts, (text) => {
        assert.deepEqual(taken(`phoenix, ${PREFIX}${encoded(text)}`), [text, ["phoenix"]]);
      }),
    );
  });

  it("is read from the first header with its name, as in Phoenix", () => {
    assert.deepEqual(taken("phoenix", `${PREFIX}YQ`), [null, ["phoenix", `${PREFIX}YQ`]]);
  });

  it("never throws, whatever the offer", () => {
    fc.assert(
      fc.property(fc.string(), fc.boolean(), (text, isPrefixed) => {
        taken(isPrefixed ? PREFIX + text : text);
      }),
    );
  });
});
