import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { cutText } from "../src/cut-text.ts";

describe("a text that is cut", () => {
  it("stays as it is up to the limit", () => {
    assert.equal(cutText("12345", 5), "12345");
    assert.equal(cutText("", 5), "");
  });

  it("ends with the number of characters that are missing", () => {
    assert.equal(cutText("1234567", 5), "12345... (2 more characters)");
  });

  it("is not cut within a surrogate pair", () => {
    assert.equal(cutText("1234\u{1F600}7", 5), "1234... (3 more characters)");
    assert.equal(cutText("123\u{1F600}67", 5), "123\u{1F600}... (2 more characters)");
  });
});
