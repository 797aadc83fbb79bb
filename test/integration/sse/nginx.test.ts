/**
 * Server-sent events through a real nginx as it comes: it buffers responses, unless they say otherwise.
 *
 * Runs on: the test's thread, which is also the server's main thread; nginx is a process of its own.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { noNginx, TestNginx } from "../../support/nginx.ts";
import { freePort, startServer, type Server } from "../../support/server.ts";
import { SseClient, SseReader } from "../../support/sse-client.ts";

describe("Server-sent events through nginx", { skip: noNginx }, () => {
  let server: Server;
  let nginx: TestNginx;
  let port = 0;
  before(async () => {
    server = await startServer("streams", { shards: 2 });
    port = await freePort();
    nginx = new TestNginx(`
      gzip on;
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://127.0.0.1:${server.port};
          proxy_http_version 1.1;
          proxy_set_header Connection "";
        }
      }`);
    await nginx.start();
  });
  after(async () => {
    await nginx?.end();
    await server?.close();
  });

  it("arrive at once, one by one", async () => {
    const headers = { "accept-encoding": "gzip" };
    const stream = await SseReader.open(port, "/socket/sse?topic=room:nginx", headers);
    assert.equal(((await stream.json("the join")) as { event: string }).event, "phx_reply");
    for (let n = 0; n < 5; n += 1) {
      server.broadcast("room:nginx", "said", { n });
      assert.deepEqual(((await stream.json(`message ${n}`)) as { payload: unknown }).payload, {
        n,
      });
    }
    stream.cut();
  });

  it("take POSTs, and end when the client goes away", async () => {
    const client = await SseClient.connect(port, "vsn=2.0.0&user=nginx", "/brief");
    await client.join("room:nginx");
    for (let n = 0; n < 5; n += 1) {
      await client.push("room:nginx", "echo", { n });
      assert.equal((await client.message())[3], "phx_reply");
      client.cut();
      await client.resume();
    }
    client.cut();
  });
});
