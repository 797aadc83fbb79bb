/**
 * Runs on: the test's thread. The vectors are those of draft-irtf-cfrg-xchacha-03.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { hchacha20, seal, tryOpen } from "../../src/token/xchacha20.ts";

function hex(text: string): Buffer {
  return Buffer.from(text, "hex");
}

const KEY = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
const NONCE = hex("404142434445464748494a4b4c4d4e4f5051525354555657");
const ADDITIONAL = hex("50515253c0c1c2c3c4c5c6c7");
const PLAINTEXT = Buffer.from(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
);
const CIPHERTEXT =
  "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e";
const TAG = "c0875924c1c7987947deafd8780acf49";

describe("HChaCha20", () => {
  it("derives the key of the draft (§2.2.1)", () => {
    const key = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    const subkey = hchacha20(key, hex("000000090000004a0000000031415927"));
    assert.equal(
      subkey.toString("hex"),
      "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc",
    );
  });
});

describe("XChaCha20-Poly1305", () => {
  it("encrypts as the draft does (§A.3.1)", () => {
    const { ciphertext, tag } = seal(KEY, NONCE, ADDITIONAL, PLAINTEXT);
    assert.equal(ciphertext.toString("hex"), CIPHERTEXT);
    assert.equal(tag.toString("hex"), TAG);
  });

  it("decrypts, and refuses if any bit was changed", () => {
    const parts = {
      key: KEY,
      nonce: NONCE,
      additional: ADDITIONAL,
      ciphertext: hex(CIPHERTEXT),
      tag: hex(TAG),
    };
    const open = ({ key, nonce, additional, ciphertext, tag }: typeof parts): Buffer | undefined =>
      tryOpen(key, nonce, additional, { ciphertext, tag });
    assert.deepEqual(open(parts), PLAINTEXT);
    for (const name of Object.keys(parts) as (keyof typeof parts)[]) {
      for (let bit = 0; bit < parts[name].length * 8; bit += 1) {
        const bytes = Buffer.from(parts[name]);
        const at = bit >> 3;
        bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
        assert.equal(open({ ...parts, [name]: bytes }), undefined, `bit ${bit} of ${name}`);
      }
    }
  });
});
