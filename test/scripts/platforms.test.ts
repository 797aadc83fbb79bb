/**
 * The table of platforms: its rows, and how a run changes them. `npm run platforms` itself takes minutes, and is not run.
 *
 * Runs on: the test's thread. Pure.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  platformTable,
  readPlatforms,
  withTried,
  type PlatformRow,
} from "../../scripts/nodes/platform-table.ts";
import { NODE_VERSIONS } from "../../src/node-version.ts";

function row(node: string, library: string, engines: PlatformRow["engines"]): PlatformRow {
  return { node, library, engines };
}

const JOINED = { result: "joined", date: "2026-11-30" };
const AGAIN = { result: "joined", date: "2026-12-24" };

describe("the table of platforms", () => {
  it("has a row for each tested version of Node.js, and one for musl", () => {
    const majors = readPlatforms().map(({ node }) => Number.parseInt(node, 10));
    assert.deepEqual(
      NODE_VERSIONS.filter((major) => !majors.includes(major)),
      [],
    );
    const { head, rows } = platformTable();
    assert.ok(rows.some(([, library]) => library?.startsWith("musl")));
    for (const cells of rows) assert.equal(cells.length, head.length, cells.join());
  });

  it("gets the engine of a run, and keeps what was tried with the other", () => {
    const before = [row("22.1.0", "glibc 2.36, x64", { native: JOINED })];
    assert.deepEqual(
      withTried(before, [row("22.9.0", "glibc 2.36, x64", { portable: AGAIN })]),
      [row("22.9.0", "glibc 2.36, x64", { native: JOINED, portable: AGAIN })],
      "a release of the same major version",
    );
    assert.deepEqual(withTried(before, [row("22.1.0", "glibc 2.36, x64", { native: AGAIN })]), [
      row("22.1.0", "glibc 2.36, x64", { native: AGAIN }),
    ]);
  });

  it("gets a row for another C library or version, in order", () => {
    const rows = [
      row("22.1.0", "glibc 2.36, x64", {}),
      row("20.1.0", "musl, x64", {}),
      row("20.1.0", "glibc 2.36, x64", {}),
    ];
    const after = withTried([], rows).map(({ node, library }) => `${node} ${library}`);
    assert.deepEqual(after, [
      "20.1.0 glibc 2.36, x64",
      "22.1.0 glibc 2.36, x64",
      "20.1.0 musl, x64",
    ]);
  });
});
