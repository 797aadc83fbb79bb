import { serve } from "simurgh";

const server = await serve({ app: new URL("./app.js", import.meta.url) });
process.once("SIGTERM", () => void server.close());
setInterval(() => server.broadcast("room:lobby", "tick", { atMs: Date.now() }), 1_000).unref();
console.log(`listening on port ${server.port} with ${server.shards} shards`);
