import { readFileSync } from "node:fs";
import { defineChannel, defineEndpoint, defineSocket, ok } from "simurgh";

const visitor = defineSocket({ connect: () => ok({}) });

/** Pages only listen. What they miss while they are away is kept for an hour. */
const news = defineChannel(visitor, {
  history: { size: 1_000, ttlMs: 3_600_000 },
  join: () => ok(),
});

const page = readFileSync(new URL("page/index.html", import.meta.url), "utf8");

export default defineEndpoint({
  sockets: { "/socket": { socket: visitor, channels: { "news:*": news }, sse: true } },
  routes: {
    "GET /": () => ({ status: 200, headers: { "content-type": "text/html" }, body: page }),
    // An application would check who it is that publishes.
    "POST /news/:topic": async (request, context) => {
      const text = Buffer.from(await request.body()).toString();
      context.broadcast(`news:${request.params["topic"]}`, "headline", { text });
      return { status: 202 };
    },
  },
});
