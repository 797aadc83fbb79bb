/** Sockets on the port of an Express application: `node dist/test/examples/attach/express.js`. */
import type { AddressInfo } from "node:net";
import express from "express";
import { serve } from "simurgh";

const application = express();
application.get("/", (_request, response) => void response.send("a page of Express"));

const web = application.listen(Number(process.env["PORT"] ?? 3000), "localhost", () => {
  console.log(`http://localhost:${(web.address() as AddressInfo).port}`);
});
const server = await serve({ app: new URL("./app.js", import.meta.url), attachTo: web });

process.once("SIGTERM", () => {
  web.close();
  void server.close().then(() => web.closeAllConnections());
});
