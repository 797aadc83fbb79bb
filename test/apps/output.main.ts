/**
 * A host that embeds the printing app. It ends as its parent process tells it to.
 *
 * Runs on: the main thread of a process of its own.
 */
import { serve } from "../../src/index.ts";

const server = await serve({
  app: new URL("./output.js", import.meta.url),
  host: "127.0.0.1",
  port: 0,
  shards: 1,
  secretKeyBase: "abcdefgh".repeat(8),
});

process.on("SIGTERM", () => void server.close().then(() => process.exit(0)));
process.on("message", (order) => {
  if (order === "exit") process.exit(7);
  if (order === "throw") throw new Error("thrown in the host");
  if (order === "stats") process.send?.({ dropped: server.stats().total.outputDropped });
});
process.send?.({ port: server.port });
