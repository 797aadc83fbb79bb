/**
 * What a source reports when something fails, without a database.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { it } from "node:test";

import { makeError } from "../../../src/errors.ts";
import { settingsOf } from "../../../src/postgres/source/options.ts";
import { SourceReports } from "../../../src/postgres/source/reports.ts";

it("writes its errors to the log of the shard, a few per second, and then their number", () => {
  const lines: [object, string][] = [];
  const settings = settingsOf(
    { by: "triggers", tables: { "public.t": { map: () => undefined } } },
    {},
  );
  const reports = new SourceReports(
    settings,
    () => {},
    (fields, text) => lines.push([fields, text]),
  );
  const err = makeError("SIM_ERR_SOURCE_CHANGE", "row 7 has no topic");
  for (let n = 0; n < 100; n += 1) reports.error(err);
  reports.stop();
  const last = lines.pop() ?? assert.fail("nothing was written");
  assert.ok(lines.length > 0 && lines.length <= 10, `${lines.length} lines`);
  assert.deepEqual(lines[0], [{ err }, "row 7 has no topic"]);
  assert.deepEqual(last, [{ count: 100 - lines.length }, "further errors of a source, not shown"]);
});
