/**
 * A host that embeds the fragile app and exits badly when its parent process tells it to.
 *
 * Runs on: the main thread of a process of its own.
 */
import { serve } from "../../src/index.ts";

const server = await serve({
  app: new URL("./fragile.js", import.meta.url),
  host: "127.0.0.1",
  port: 0,
  shards: 2,
  secretKeyBase: "abcdefgh".repeat(8),
});

process.on("message", (order) => {
  if (order === "exit") process.exit(7);
  if (order === "throw") throw new Error("thrown in the host");
});
console.log(`host on http://127.0.0.1:${server.port}`);
