/** A job and its progress bar in an Express application: `node dist/test/examples/jobs/express.js`. */
import type { AddressInfo } from "node:net";
import express from "express";
import { serve } from "simurgh";
import { pageFiles } from "./files.ts";
import { Jobs } from "./jobs.ts";

// In the same process, on a port of its own (SIMURGH_PORT).
const server = await serve({ app: new URL("./app.js", import.meta.url) });

const jobs = new Jobs(
  (id, percent) => server.broadcast(`job:${id}`, "progress", { percent }),
  Number(process.env["ITERATIONS"] ?? 100_000),
);

const app = express();
app.use(express.json());
app.post("/jobs", (request, response) => {
  const { status, body } = jobs.start((request.body as { id?: unknown } | undefined)?.id);
  response.status(status).json(body);
});
app.get("/jobs/:id", (request, response) => {
  const { status, body } = jobs.progress(request.params.id);
  response.status(status).json(body);
});
for (const { path, type, text } of pageFiles(server.port)) {
  app.get(path, (_request, response) => void response.type(type).send(text));
}

const http = app.listen(Number(process.env["PORT"] ?? 3000), "localhost", () => {
  const { port } = http.address() as AddressInfo;
  console.log(`http://localhost:${port}, with sockets on port ${server.port}`);
});
process.once("SIGTERM", () => {
  jobs.stop();
  http.close();
  http.closeAllConnections();
  void server.close();
});
