/**
 * The suite for transports, with server-sent events.
 *
 * Slow: a server for each case.
 */
import { test } from "node:test";
import { transportCases } from "simurgh/testing";
import { connectEvents } from "../support/event-stream-client.ts";

const cases = transportCases({
  app: new URL("./event-stream/suite-app.js", import.meta.url),
  connect: connectEvents,
  // A frame of a client is a line, and bytes are told from text by how JSON begins.
  without: ["anyFrame"],
  timeoutMs: 30_000,
});
for (const { name, run } of cases) test(name, run);
