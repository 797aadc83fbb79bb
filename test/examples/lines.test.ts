/**
 * The example of a custom transport: lines over TCP, together with the official client.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { serve } from "../../src/index.ts";
import { LineClient } from "../support/line-client.ts";
import { connectPhoenix, disconnect, join, received } from "../support/phoenix-client.ts";
import { freePort } from "../support/server.ts";
import type { Server } from "../support/server.ts";

const SHARDS = 2;
const OK = '{"status":"ok","response":{}}';

describe("the example of lines over TCP", () => {
  let server: Server;
  let linesPort: number;

  before(async () => {
    linesPort = await freePort(SHARDS);
    process.env["LINES_PORT"] = String(linesPort);
    server = await serve({
      app: new URL("./lines/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: SHARDS,
      logLevel: "silent",
    });
  });
  after(async () => {
    await server.close();
    delete process.env["LINES_PORT"];
  });

  async function joined(shard: number, user: string): Promise<LineClient> {
    const hello = `/socket?vsn=2.0.0&user=${user}`;
    const client = await LineClient.connect(linesPort + shard, hello);
    await client.send('["1","1","room:lobby","phx_join",{}]');
    const response = `{"status":"ok","response":{"hello":"${user}"}}`;
    assert.equal(await client.next(), `["1","1","room:lobby","phx_reply",${response}]`);
    return client;
  }

  it("joins, and exchanges messages with clients of every shard and transport", async () => {
    const lineClients = await Promise.all([joined(0, "ann"), joined(server.shards - 1, "bob")]);
    const socket = await connectPhoenix(server.port, { user: "eve" });
    const channel = socket.channel("room:lobby", {});
    assert.deepEqual(await join(channel), { hello: "eve" });
    const heard = received(channel, "said");
    await lineClients[0].send('["1","2","room:lobby","say",{"text":"hi"}]');
    assert.deepEqual(await heard, { text: "hi", from: "ann" });
    for (const client of lineClients) {
      const said = '{"text":"hi","from":"ann"}';
      assert.equal(await client.next(), `[null,null,"room:lobby","said",${said}]`);
    }
    server.broadcast("room:lobby", "said", { text: "hello", from: "host" });
    for (const client of lineClients) {
      const said = '{"text":"hello","from":"host"}';
      assert.equal(await client.next(), `[null,null,"room:lobby","said",${said}]`);
    }
    await lineClients[0].send('[null,"3","phoenix","heartbeat",{}]');
    assert.equal(await lineClients[0].next(), `[null,"3","phoenix","phx_reply",${OK}]`);
    const transports = (await server.sockets()).map(({ transport }) => transport).toSorted();
    assert.deepEqual(transports, ["lines", "lines", "websocket"]);
    await disconnect(socket);
    await Promise.all(lineClients.map((client) => client.close()));
  });

  it("reports that a socket does not exist, and continues", async () => {
    const lost = await LineClient.connect(linesPort, "/nowhere");
    assert.equal(await lost.closed(), "1006");
    const old = await LineClient.connect(linesPort, "/socket?vsn=9.9.9");
    assert.equal(await old.closed(), "refused");
    await (await joined(0, "ann")).close();
  });

  it("is available again after its shard is restarted", async () => {
    const client = await joined(0, "ann");
    const restarted = server.restartShard(0);
    assert.equal(await client.closed(), "1012");
    await restarted;
    await (await joined(0, "bob")).close();
  });
});
