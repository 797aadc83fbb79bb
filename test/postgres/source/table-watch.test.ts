/**
 * How a leader looks at its tables now and then, and reports what is wrong with them.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { makeError } from "../../../src/errors.ts";
import { settingsOf } from "../../../src/postgres/source/options.ts";
import { SourceReports } from "../../../src/postgres/source/reports.ts";
import { LOOK_MS, setup, TableWatch } from "../../../src/postgres/source/table-checks.ts";

describe("a watch of tables", () => {
  let fault: Error | undefined;
  let reported: string[];
  let looks: number;
  let watch: TableWatch;
  let nowMs: number;

  beforeEach(() => {
    [fault, reported, looks, nowMs] = [undefined, [], 0, performance.now()];
    const settings = settingsOf(
      {
        by: "triggers",
        tables: { "public.kept": { map: () => undefined } },
        onError: ({ message }) => void reported.push(message),
      },
      {},
    );
    const reports = new SourceReports(
      settings,
      () => undefined,
      () => undefined,
    );
    watch = new TableWatch(reports, async () => {
      looks += 1;
      if (fault) throw fault;
    });
  });

  async function lookLater(): Promise<void> {
    nowMs += 2 * LOOK_MS;
    await watch.look(nowMs);
  }

  it("looks only now and then", async () => {
    await watch.look();
    assert.equal(looks, 0);
    await lookLater();
    await watch.look(nowMs);
    assert.equal(looks, 1);
  });

  it("reports what is wrong once while it lasts", async () => {
    fault = setup("table kept must exist");
    await lookLater();
    await lookLater();
    assert.deepEqual(reported, ["table kept must exist"]);
    fault = setup("table kept must be watched");
    await lookLater();
    fault = undefined;
    await lookLater();
    fault = setup("table kept must be watched");
    await lookLater();
    assert.deepEqual(reported, [
      "table kept must exist",
      "table kept must be watched",
      "table kept must be watched",
    ]);
  });

  it("passes on other errors, which end the lead", async () => {
    fault = makeError("SIM_ERR_DATABASE", "the connection was lost");
    await assert.rejects(lookLater(), { code: "SIM_ERR_DATABASE" });
    assert.deepEqual(reported, []);
  });
});
