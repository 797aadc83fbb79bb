/** A collaborative editor: run `node dist/test/examples/editor/main.js` and open it in two tabs. */
import { serve } from "simurgh";
import { bundlePage } from "./bundle.ts";

const server = await serve({
  app: new URL("./app.js", import.meta.url),
  data: await bundlePage(),
});
console.log(`http://localhost:${server.port}`);
process.once("SIGTERM", () => void server.close());
