/**
 * The example with end-to-end types: its client against a server.
 *
 * Runs on: the test's thread; the server's shards are threads of it.
 */

import assert from "node:assert/strict";
import { it } from "node:test";

import { serve } from "simurgh";

import { connectPhoenix, disconnect } from "../support/phoenix-client.ts";
import { visit } from "./typed/client.ts";

it("the typed example pushes, receives and requests, without fields that the schema does not name", async () => {
  const app = new URL("./typed/app.js", import.meta.url);
  const server = await serve({ app, host: "127.0.0.1", port: 0, shards: 2, logLevel: "silent" });
  try {
    const socket = await connectPhoenix(server.port, { user: "ann" });
    const lines = await visit(socket, "1");
    await disconnect(socket);
    assert.deepEqual(lines.toSorted(), [
      "ann said hi, and 0 other things are known",
      "from 1 to 3",
      "hello ann, of 7",
      "tick in 20xx",
    ]);
  } finally {
    await server.close();
  }
});
