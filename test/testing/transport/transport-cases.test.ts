/**
 * Each case of the suite for transports, with a transport that must not pass it.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 * Slow: a server for each fault, which is found when something does not happen in time.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { transportCases } from "../../../src/testing/index.ts";
import type { TransportCase } from "../../../src/testing/index.ts";
import { connectLines } from "../../examples/lines/client.ts";
import { connectEvents } from "../../support/event-stream-client.ts";
import { noSecondShard } from "../../support/dealing.ts";
import { freePort } from "../../support/server.ts";
import { FAULTS } from "./faults.ts";

/** Long enough for what happens before the fault shows, on a busy machine. */
const TIMEOUT_MS = 4_000;
/** Most of the time is spent on waiting for what does not happen. */
const AT_ONCE = 3;
const SHARDS = 2;
const NAMES = Object.keys(FAULTS);
/** Faults that do not show if all clients and requests are on one shard. */
const OF_SEVERAL_SHARDS = ["does not take messages to other shards"];

before(async () => {
  process.env["LINES_PORT"] = String(await freePort(NAMES.length * SHARDS));
});
after(() => {
  delete process.env["LINES_PORT"];
});

function casesWith(fault: string): readonly TransportCase[] {
  const ports = NAMES.indexOf(fault) * SHARDS;
  const app = new URL("../../apps/faulty-transport.js", import.meta.url);
  app.searchParams.set("fault", fault);
  app.searchParams.set("ports", String(ports));
  return transportCases({
    app,
    connect: FAULTS[fault]?.call
      ? connectEvents
      : async ({ shard, ...request }, events) =>
          connectLines({ ...request, shard: shard + ports }, events),
    options: { shards: SHARDS, shutdownMs: 500 },
    timeoutMs: TIMEOUT_MS,
  });
}

describe("a transport that", { concurrency: AT_ONCE }, () => {
  for (const [name, { fails, says }] of Object.entries(FAULTS)) {
    const skip = OF_SEVERAL_SHARDS.includes(name) && noSecondShard;
    it(`${name} fails the case "${fails}"`, { skip }, async () => {
      const failing = casesWith(name).find((one) => one.name === fails);
      assert.ok(failing, `there must be a case "${fails}"`);
      await assert.rejects(failing.run(), says);
    });
  }
});

describe("the suite for transports", () => {
  it("has a transport that fails it for each of its cases", () => {
    const found = new Set(Object.values(FAULTS).map(({ fails }) => fails));
    const names = casesWith("").map(({ name }) => name);
    assert.deepEqual(
      names.filter((name) => !found.has(name)),
      [],
    );
  });
});
