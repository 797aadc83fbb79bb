/**
 * The metrics of the guide to monitoring, for a server with custom transports.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 */

import assert from "node:assert/strict";
import { it } from "node:test";

import { startServer } from "../support/server.ts";
import { metricsOf } from "./monitoring/metrics.ts";

it("the metrics include what custom transports measure, by shard", async () => {
  const server = await startServer("calling", { shards: 2 });
  const lines = metricsOf(server)
    .split("\n")
    .filter((line) => line.includes("transport_figure"));
  await server.close();
  assert.deepEqual(lines, [
    "# TYPE simurgh_transport_figure gauge",
    'simurgh_transport_figure{transport="line",figure="shard",thread="0"} 0',
    'simurgh_transport_figure{transport="line",figure="shard",thread="1"} 1',
    'simurgh_transport_figure{transport="line",figure="callsServed",thread="1"} 0',
  ]);
});
