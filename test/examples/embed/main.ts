import { serve } from "simurgh";

const server = await serve({ app: new URL("./app.js", import.meta.url) });
console.log(`listening on port ${server.port} with ${server.shards} shards`);

const tick = (): void => server.broadcast("room:lobby", "tick", { atMs: Date.now() });
const timer = setInterval(tick, 1_000);
process.once("SIGTERM", () => {
  clearInterval(timer);
  void server.close();
});
