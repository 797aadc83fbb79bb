import { createServer } from "node:http";

import { serve } from "simurgh";

import { metricsOf } from "./metrics.ts";

const server = await serve({ app: new URL("../embed/app.js", import.meta.url) });

// A port of its own, which clients cannot reach.
const metrics = createServer((_request, response) => {
  response.setHeader("content-type", "text/plain; version=0.0.4");
  response.end(metricsOf(server));
});
metrics.listen(Number(process.env["METRICS_PORT"] ?? 9464), "127.0.0.1", () => {
  console.log(`clients: port ${server.port}; metrics:`, metrics.address());
});

process.once("SIGTERM", () => {
  metrics.close();
  void server.close();
});
