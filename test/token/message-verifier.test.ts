import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";

import { signMessage, tryVerifyMessage } from "../../src/token/message-verifier.ts";

const KEY = Buffer.alloc(32, 7);
const MESSAGE = Buffer.from("whatever it is");
const TEXT = MESSAGE.toString("base64url");

function signed(digest: string, head: string): string {
  return `${head}.${createHmac(digest, KEY).update(head).digest("base64url")}`;
}

describe("a signed message", () => {
  it("is signed with HMAC-SHA256, and read with any of the three algorithms", () => {
    assert.equal(signMessage(MESSAGE, KEY), signed("sha256", `SFMyNTY.${TEXT}`));
    const names = { sha256: "SFMyNTY", sha384: "SFMzODQ", sha512: "SFM1MTI" };
    for (const [digest, name] of Object.entries(names)) {
      assert.deepEqual(tryVerifyMessage(signed(digest, `${name}.${TEXT}`), KEY), MESSAGE);
    }
  });

  it("is refused if the algorithm is not the one that it names, or is unknown", () => {
    for (const name of ["SFMzODQ", "SFM1MTI", "bm9uZQ", "", "HS256", "sha256", "constructor"]) {
      assert.equal(tryVerifyMessage(signed("sha256", `${name}.${TEXT}`), KEY), undefined, name);
    }
  });

  it("is refused if it does not have three parts", () => {
    const token = signMessage(MESSAGE, KEY);
    const others = [
      "",
      ".",
      "..",
      "...",
      `${token}.`,
      `${token}.x`,
      `.${token}`,
      `SFMyNTY.${TEXT}`,
    ];
    others.push(`SFMyNTY.${TEXT}.`, "SFMyNTY..", ".".repeat(100_000));
    for (const other of others) assert.equal(tryVerifyMessage(other, KEY), undefined, other);
  });

  it("is refused if its base64 is not canonical", () => {
    // Signed with the right key, but encoded as no library does.
    for (const text of [`${TEXT}=`, `${TEXT}==`, " ", "ab+/", "a", "ab\n", "é"]) {
      assert.equal(tryVerifyMessage(signed("sha256", `SFMyNTY.${text}`), KEY), undefined, text);
    }
    assert.deepEqual(tryVerifyMessage(signed("sha256", "SFMyNTY.AA"), KEY), Buffer.of(0));
    assert.equal(tryVerifyMessage(signed("sha256", "SFMyNTY.AB"), KEY), undefined);
  });
});
