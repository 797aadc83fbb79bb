import assert from "node:assert/strict";
import { after, describe, it } from "node:test";

import { defineSocket, ok } from "../../../src/index.ts";
import { noTurns } from "../../support/dealing.ts";
import { exchanged, requestOf, statusesOf } from "../../support/raw-http.ts";
import { startShard, type TestShard } from "../../support/shard.ts";

const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
];
const LAST = ["Connection: close"];
/** The answer to a method that HTTP does not know. */
const UNKNOWN_METHOD = noTurns === false ? 404 : 400;

const shards: TestShard[] = [];
after(() => {
  for (const shard of shards) shard.close();
});

async function serving(hasSockets = true): Promise<TestShard> {
  const socket = defineSocket({ connect: () => ok({}) });
  const mounts = {
    "/socket": { socket, channels: {}, longpoll: true },
    "/org/:org/live": { socket, channels: {} },
  };
  const shard = await startShard({
    sockets: hasSockets ? mounts : {},
    routes: { "GET /healthz": () => ({ status: 200 }) },
  });
  shards.push(shard);
  return shard;
}

/** Returns the status of a request, which is the last of its connection. */
async function statusOf({ port }: TestShard, line: string): Promise<number | undefined> {
  return statusesOf(await exchanged(port, requestOf(line, LAST)))[0];
}

/** Returns the status of a request for a WebSocket that is refused. */
async function upgradeStatusOf({ port }: TestShard, path: string): Promise<number | undefined> {
  const next = requestOf("GET /healthz", LAST);
  const [status] = statusesOf(await exchanged(port, requestOf(`GET ${path}`, UPGRADE) + next));
  return status;
}

describe("a path that nothing serves", () => {
  it("gets 404, and is logged once, with the sockets there are, if a client wants a socket", async () => {
    const shard = await serving();
    const wrong = "/socket/websocket/websocket";
    for (let times = 0; times < 2; times += 1) {
      assert.equal(await upgradeStatusOf(shard, `${wrong}?vsn=2.0.0`), 404);
    }
    assert.equal(await statusOf(shard, "GET /sockets/longpoll?vsn=2.0.0"), 404);
    assert.deepEqual(
      shard.log.map(({ text, fields }) => [text.split(":", 1)[0], fields]),
      [
        [
          "a client asked for a socket at a path that has none, and got 404",
          {
            path: wrong,
            sockets: ["/socket/websocket", "/socket/longpoll", "/org/:org/live/websocket"],
          },
        ],
      ],
    );
    assert.equal(shard.counter("socketsNotFound"), 3);
  });

  it("is not logged for other requests, or if there are no sockets", async () => {
    const shard = await serving();
    for (const line of ["GET /favicon.ico", "POST /socket", "GET /"]) {
      assert.equal(await statusOf(shard, line), 404, line);
    }
    assert.equal(await statusOf(shard, "BREW /pot"), UNKNOWN_METHOD);
    const without = await serving(false);
    assert.equal(await upgradeStatusOf(without, "/socket/websocket"), 404);
    for (const { log, counter } of [shard, without]) {
      assert.deepEqual(log, []);
      assert.equal(counter("socketsNotFound"), 0);
    }
  });

  it("is logged with its first 200 characters", async () => {
    const shard = await serving();
    assert.equal(await statusOf(shard, `GET /${"x".repeat(1_000)}/websocket`), 404);
    assert.equal(String(shard.log[0]?.fields["path"]).length, 200);
  });

  it("is also one with a method in lower case, since methods are case-sensitive", async () => {
    const shard = await serving();
    assert.equal(await statusOf(shard, "GET /healthz"), 200);
    assert.equal(await statusOf(shard, "get /healthz"), UNKNOWN_METHOD);
    assert.equal(await statusOf(shard, "head /healthz"), UNKNOWN_METHOD);
    assert.equal(await statusOf(shard, "get /socket/longpoll?vsn=2.0.0"), 400);
  });
});

describe("several slashes in a path", () => {
  it("count as one for long-poll", async () => {
    const shard = await serving();
    for (const path of ["//socket/longpoll", "/socket///longpoll", "/socket/longpoll//"]) {
      const got = await exchanged(shard.port, requestOf(`GET ${path}?vsn=2.0.0`, LAST));
      assert.match(got, /\{"status":410,"token":"/, path);
      assert.equal(await statusOf(shard, `OPTIONS ${path}`), 200, path);
    }
  });

  it("may be doubled for a WebSocket; three are not found", async () => {
    const shard = await serving();
    const opened = async (path: string): Promise<number | undefined> => {
      // The close frame (1000) ends the connection.
      const close = "\x88\x82\0\0\0\0\x03\xe8";
      const got = await exchanged(shard.port, requestOf(`GET ${path}?vsn=2.0.0`, UPGRADE), {
        afterAnswer: close,
      });
      return statusesOf(got)[0];
    };
    for (const path of [
      "//socket/websocket",
      "/socket//websocket",
      "/socket/websocket/",
      "//socket//websocket//",
      "/org//7//live/websocket",
    ]) {
      assert.equal(await opened(path), 101, path);
    }
    assert.equal(await upgradeStatusOf(shard, "/socket///websocket?vsn=2.0.0"), 404);
  });
});
