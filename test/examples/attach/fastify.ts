/** Sockets on the port of a Fastify application: `node dist/test/examples/attach/fastify.js`. */
import { fastify } from "fastify";
import { serve } from "simurgh";

const application = fastify({ forceCloseConnections: true });
application.get("/", () => "a page of Fastify");

const server = await serve({
  app: new URL("./app.js", import.meta.url),
  attachTo: application.server,
});
application.addHook("preClose", () => server.close());

// Not localhost, for which Fastify has two servers where it has two addresses.
const address = { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 3000) };
console.log(await application.listen(address));
process.once("SIGTERM", () => void application.close());
