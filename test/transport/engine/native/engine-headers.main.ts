/**
 * Loads the engine with a header limit, and prints the status of requests below and above it.
 *
 * Runs on: the main thread of its own process, since the limit is one for the process.
 */

import { once } from "node:events";
import { get } from "node:http";
import type { IncomingMessage } from "node:http";

import { nativeModule } from "../../../../src/transport/engine/engine.ts";
import { startEcho } from "../../../support/engine-echo.ts";

const limit = process.argv[2];
nativeModule(limit === undefined ? undefined : Number(limit));
const echo = startEcho();

async function statusWith(headerBytes: number): Promise<number | undefined> {
  const request = get({
    port: echo.port,
    host: "127.0.0.1",
    path: "/hello",
    agent: false,
    headers: { "x-long": "x".repeat(headerBytes) },
  });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

const statuses = [await statusWith(2_000), await statusWith(10_000), await statusWith(20_000)];
const second = ((): string => {
  try {
    nativeModule(99);
    return "accepted";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
})();
const variable = process.env["UWS_HTTP_MAX_HEADERS_SIZE"] ?? "unset";
process.stdout.write(JSON.stringify({ statuses, second, variable }));
echo.stop();
