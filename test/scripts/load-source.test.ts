/**
 * A short run of `npm run load:source`.
 *
 * Slow: writes rows for some seconds, by both ways.
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { runSourceLoad } from "../../scripts/load/source/run.ts";
import { noPostgres } from "../support/postgres.ts";
import { WAYS } from "../support/source.ts";

describe("A source under load", { skip: noPostgres }, () => {
  for (const by of WAYS) {
    it(`by ${by}, misses, repeats and disorders nothing`, async () => {
      const load = { by, rate: 2_000, seconds: 3, perTransaction: 10, restarts: false };
      const { written, heard, missing, repeated, disordered } = await runSourceLoad(load);
      assert.deepEqual(
        { written, heard, missing, repeated, disordered },
        { written: 6_000, heard: 6_000, missing: 0, repeated: 0, disordered: 0 },
      );
    });

    it(`by ${by}, misses and disorders nothing if the database is restarted meanwhile`, async () => {
      const load = { by, rate: 2_000, seconds: 3, perTransaction: 10, restarts: true };
      const { written, heard, missing, repeated, disordered } = await runSourceLoad(load);
      assert.deepEqual(
        { written, heard: heard - repeated, missing, disordered },
        { written: 6_000, heard: 6_000, missing: 0, disordered: 0 },
      );
    });
  }
});
