/**
 * Serves the conformance app in the foreground: `npm run conformance -- --port 4100 --shards 2`.
 *
 * Runs on: the main thread of a process of its own.
 *
 * `PORT` and `SIMURGH_SHARDS` set the same options as the arguments, which take precedence. SIGTERM and SIGINT
 * drain the server; a second signal closes it at once. `GET /healthz` responds once it is ready.
 */
import { parseArgs } from "node:util";
import { serve } from "../../src/index.ts";

const { values } = parseArgs({ options: { port: { type: "string" }, shards: { type: "string" } } });

function integerOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

const server = await serve({
  app: new URL("./conformance.js", import.meta.url),
  host: process.env["SIMURGH_HOST"] ?? "127.0.0.1",
  port: integerOf(values.port ?? process.env["PORT"]),
  shards: integerOf(values.shards),
  // The limits of Phoenix.
  maxFrameBytes: 10_000_000,
  maxUnjoinedFrameBytes: 10_000_000,
  maxBodyBytes: 8_000_000,
  maxJsonDepth: 1_000_000,
  // The secret of the recorded Phoenix.
  secretKeyBase: "abcdefgh".repeat(8),
});

let isClosing = false;

function close(): void {
  const closed = isClosing ? server.closeNow() : server.close();
  isClosing = true;
  closed.catch((cause: unknown) => {
    console.error(cause);
    process.exitCode = 1;
  });
}

process.on("SIGTERM", close).on("SIGINT", close);
console.log(`conformance app on http://127.0.0.1:${server.port}`);
