/**
 * SECURITY.md names only options, faults and tests that exist.
 *
 * Runs on: the test's thread; reads the document.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { FAULTS } from "../scripts/chaos/faults.ts";
import { OPTIONS } from "../src/index.ts";

const TEXT = readFileSync(new URL("../../SECURITY.md", import.meta.url), "utf8");

describe("SECURITY.md", () => {
  it("names options that exist", () => {
    const known = new Set<string>(Object.values(OPTIONS).map(({ env }) => env));
    const named = [...TEXT.matchAll(/`(SIMURGH_[A-Z_]+)`/g)].map(([, name]) => name ?? "");
    assert.ok(named.length > 20);
    assert.deepEqual(
      [...new Set(named)].filter((name) => !known.has(name)),
      [],
    );
  });

  it("names faults of npm run chaos that exist", () => {
    const known = new Set(FAULTS.map(({ name }) => name));
    const named = [...TEXT.matchAll(/chaos: ((?:`[a-z0-9-]+`(?:, )?)+)/g)]
      .flatMap(([, list = ""]) => list.split(", "))
      .map((name) => name.replaceAll("`", ""));
    assert.ok(named.length > 5);
    assert.deepEqual(
      named.filter((name) => !known.has(name)),
      [],
    );
  });
});
