import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { isCsrfTokenValid } from "../../../src/transport/handshake/csrf.ts";
import { PLUG_CSRF_TOKEN, PLUG_STATE } from "../../support/plug-session.ts";

/** Masks a state, as Plug does for each page. */
function masked(state: string, mask: string): string {
  const bytes = Buffer.from(state).map((byte, at) => byte ^ mask.charCodeAt(at));
  return Buffer.from(bytes).toString("base64url") + mask;
}

function random(): string {
  return randomBytes(18).toString("base64url");
}

describe("a CSRF token", () => {
  it("is valid for the state that it was made from, with any mask", () => {
    assert.equal(isCsrfTokenValid(PLUG_STATE, PLUG_CSRF_TOKEN), true);
    for (let n = 0; n < 50; n += 1) {
      const state = random();
      assert.equal(isCsrfTokenValid(state, masked(state, random())), true);
      assert.equal(isCsrfTokenValid(random(), masked(state, random())), false);
    }
  });

  it("is invalid with any character changed", () => {
    for (let at = 0; at < PLUG_CSRF_TOKEN.length; at += 1) {
      const other = PLUG_CSRF_TOKEN[at] === "X" ? "Y" : "X";
      const changed = PLUG_CSRF_TOKEN.slice(0, at) + other + PLUG_CSRF_TOKEN.slice(at + 1);
      assert.equal(isCsrfTokenValid(PLUG_STATE, changed), false, String(at));
    }
  });

  it("is invalid if it or the state is anything else", () => {
    const others = [
      undefined,
      null,
      7,
      {},
      [PLUG_CSRF_TOKEN],
      "",
      PLUG_STATE,
      PLUG_CSRF_TOKEN + "A",
    ];
    for (const other of others) assert.equal(isCsrfTokenValid(PLUG_STATE, other), false);
    for (const other of [
      undefined,
      null,
      7,
      "",
      PLUG_STATE.slice(1),
      `${PLUG_STATE}A`,
      new Uint8Array(24),
    ]) {
      assert.equal(isCsrfTokenValid(other, PLUG_CSRF_TOKEN), false);
    }
    // 24 bytes that are not 24 characters, and the other way round.
    assert.equal(isCsrfTokenValid("é".repeat(12), PLUG_CSRF_TOKEN), false);
    assert.equal(isCsrfTokenValid("é".repeat(24), PLUG_CSRF_TOKEN), false);
    assert.equal(
      isCsrfTokenValid(PLUG_STATE, PLUG_CSRF_TOKEN.slice(0, 32) + "é".repeat(12)),
      false,
    );
    assert.equal(isCsrfTokenValid(PLUG_STATE, `+/${PLUG_CSRF_TOKEN.slice(2)}`), false);
  });

  it("never throws, whatever the text", () => {
    const texts = fc.string({ unit: "binary", maxLength: 60 });
    fc.assert(
      fc.property(texts, texts, (state, token) => {
        assert.equal(isCsrfTokenValid(state, token), false);
      }),
    );
  });
});
