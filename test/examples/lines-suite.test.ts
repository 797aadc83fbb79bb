/**
 * The suite for transports, with lines over TCP.
 *
 * Slow: a server for each case.
 */
import { test } from "node:test";
import { transportCases } from "simurgh/testing";
import { freePort } from "../support/server.ts";
import { connectLines } from "./lines/client.ts";

process.env["LINES_PORT"] = String(await freePort(2));

const app = new URL("./lines/suite-app.js", import.meta.url);
for (const { name, run } of transportCases({ app, connect: connectLines, timeoutMs: 30_000 })) {
  test(name, run);
}
