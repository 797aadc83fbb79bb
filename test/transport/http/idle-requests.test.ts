/**
 * Connections that are kept alive after a request, over real sockets.
 *
 * Runs on: the test's thread, which is also the shard's.
 * Slow: the engine closes idle connections after about half a minute.
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { after, describe, it } from "node:test";

import { ok } from "../../../src/callbacks/results.ts";
import { defineSocket } from "../../../src/socket/definition.ts";
import type { RouteResponse } from "../../../src/transport/http/answer.ts";
import { within } from "../../support/deadline.ts";
import { startShard, type TestShard } from "../../support/shard.ts";

const DEADLINE_MS = 120_000;
const now = (): RouteResponse => ({ status: 200, body: "now" });

let shard: TestShard | undefined;
const clients: Socket[] = [];
after(() => {
  for (const client of clients) client.destroy();
  shard?.close();
});

/** Sends a request, and returns the status of the answer when the server has closed the connection. */
async function statusBeforeClose(port: number, head: string, body = ""): Promise<string> {
  const client = connect(port, "127.0.0.1");
  clients.push(client);
  let text = "";
  client.on("data", (data) => (text += data.toString("latin1")));
  const closed = new Promise((resolve) => void client.on("close", resolve));
  const length = body === "" ? "" : `content-length: ${body.length}\r\n`;
  client.write(`${head} HTTP/1.1\r\nhost: localhost\r\n${length}\r\n${body}`);
  await within(closed, `the end of the connection of ${head}`, DEADLINE_MS);
  return text.slice(9, 12);
}

describe("an idle connection is closed", () => {
  it("whatever answered its last request", { timeout: 2 * DEADLINE_MS }, async () => {
    const socket = defineSocket({ connect: () => ok({}) });
    const { port } = (shard = await startShard({
      sockets: { "/socket": { socket, channels: {}, longpoll: { windowMs: 1_000 } } },
      routes: {
        "GET /now": now,
        "POST /unread": now,
        "GET /later": () => Promise.resolve(now()),
        "POST /body": async (request) => ({ status: 200, body: await request.body() }),
        "GET /throws": () => {
          throw new Error("boom");
        },
      },
    }));
    const statuses = await Promise.all([
      statusBeforeClose(port, "GET /now"),
      statusBeforeClose(port, "POST /unread", "some"),
      statusBeforeClose(port, "GET /later"),
      statusBeforeClose(port, "POST /body", "some"),
      statusBeforeClose(port, "GET /throws"),
      statusBeforeClose(port, "GET /nothing"),
      statusBeforeClose(port, "GET /socket/longpoll?vsn=2.0.0"),
    ]);
    assert.deepEqual(statuses, ["200", "200", "200", "200", "500", "404", "200"]);
  });
});
