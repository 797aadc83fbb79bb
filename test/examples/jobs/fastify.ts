/** A job and its progress bar in a Fastify application: `node dist/test/examples/jobs/fastify.js`. */
import { fastify } from "fastify";
import { serve } from "simurgh";
import { pageFiles } from "./files.ts";
import { Jobs } from "./jobs.ts";

// In the same process, on a port of its own (SIMURGH_PORT).
const server = await serve({ app: new URL("./app.js", import.meta.url) });

const jobs = new Jobs(
  (id, percent) => server.broadcast(`job:${id}`, "progress", { percent }),
  Number(process.env["ITERATIONS"] ?? 100_000),
);

const app = fastify({ forceCloseConnections: true });
app.post<{ Body: { id?: unknown } | null }>("/jobs", async (request, reply) => {
  const { status, body } = jobs.start(request.body?.id);
  return reply.code(status).send(body);
});
app.get<{ Params: { id: string } }>("/jobs/:id", async (request, reply) => {
  const { status, body } = jobs.progress(request.params.id);
  return reply.code(status).send(body);
});
for (const { path, type, text } of pageFiles(server.port)) {
  app.get(path, async (_request, reply) => reply.type(type).send(text));
}

const address = await app.listen({ port: Number(process.env["PORT"] ?? 3000), host: "localhost" });
const { port } = new URL(address);
console.log(`http://localhost:${port}, with sockets on port ${server.port}`);
process.once("SIGTERM", () => {
  jobs.stop();
  void app.close();
  void server.close();
});
