/**
 * Simurgh under test: `node simurgh-server.js --port 4100 --shards 2 --topics 1 --prefix kept`.
 *
 * All other options come from the environment. With the prefix `kept`, topics have a history.
 *
 * Runs on: the main thread of its own process.
 */

import { serve } from "../../../../src/index.ts";
import { obey, readSetting } from "./orders.ts";

const setting = readSetting();
const { port, shards, prefix } = setting;
const server = await serve({
  app: new URL("./simurgh-app.js", import.meta.url),
  host: "127.0.0.1",
  port,
  shards,
  secretKeyBase: "nothing is secret in a load test ".repeat(2),
});

async function broadcast(topic: string, event: string, payload: object): Promise<void> {
  server.broadcast(topic, event, payload);
}

obey(
  {
    publish: (topic, event, payload) =>
      prefix === "kept" ? server.publish(topic, event, payload) : broadcast(topic, event, payload),
    async restart() {
      for (let shard = 0; shard < server.shards; shard++) await server.restartShard(shard);
    },
    drain: () => server.drain(),
    close: () => server.close(),
  },
  setting,
);
