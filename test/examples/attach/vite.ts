/**
 * A page of Vite, an API of Express, and sockets, all on one port: `node dist/test/examples/attach/vite.js` in the folder
 * of the page.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { serve } from "simurgh";
import { createServer as createVite } from "vite";

const application = express();
const web = createServer(application);
const vite = await createVite({
  // Vite's own WebSocket, for hot updates, is on the same port too.
  server: { middlewareMode: true, hmr: { server: web } },
});
application.get("/api/time", (_request, response) => void response.json({ atMs: Date.now() }));
application.use(vite.middlewares);

const server = await serve({ app: new URL("./app.js", import.meta.url), attachTo: web });
web.listen(Number(process.env["PORT"] ?? 3000), "localhost", () => {
  console.log(`http://localhost:${(web.address() as AddressInfo).port}`);
});

process.once("SIGTERM", () => {
  web.close();
  void Promise.all([server.close(), vite.close()]).then(() => web.closeAllConnections());
});
