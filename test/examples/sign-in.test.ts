/**
 * The example of a sign-in shared with Phoenix, with tokens as made by Phoenix.
 *
 * Runs on: the test's thread; the server's shards are threads of it.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";

import { WebSocket } from "ws";

import { error, ok, serve, type ConnectRequest, type ShardContext } from "../../src/index.ts";
import { Token } from "../../src/token/index.ts";
import { connectPhoenix, disconnect, join } from "../support/phoenix-client.ts";
import { within } from "../support/deadline.ts";
import { userSocket } from "./sign-in/user-socket.ts";

const SECRET = "a".repeat(64);

function requestWith(params: Record<string, string>): ConnectRequest {
  const context = { secretKeyBase: SECRET } as unknown as ShardContext;
  return { params, connectInfo: {}, context, transport: "websocket" };
}

describe("the README's shared sign-in", () => {
  it("accepts clients with a token of the application, and no others", () => {
    const token = Token.sign(SECRET, "user auth", 7);
    const old = Token.sign(SECRET, "user auth", 7, { signedAtMs: 1_700_000_000_000 });
    assert.deepEqual(userSocket.connect(requestWith({ token })), ok({ userId: 7 }));
    assert.equal(userSocket.id({ assigns: { userId: 7 } }), "users:7");
    assert.deepEqual(userSocket.connect(requestWith({})), error({ reason: "missing" }));
    const expired = error({ reason: "expired" });
    assert.deepEqual(userSocket.connect(requestWith({ token: old })), expired);
    const forged = Token.sign("b".repeat(64), "user auth", 7);
    const invalid = error({ reason: "invalid" });
    assert.deepEqual(userSocket.connect(requestWith({ token: forged })), invalid);
  });

  it("serves an official client with a token on any shard, but only its own user's inbox", async () => {
    const app = new URL("./sign-in/app.js", import.meta.url);
    const options = { host: "127.0.0.1", port: 0, shards: 2, logLevel: "silent" } as const;
    const server = await serve({ app, secretKeyBase: SECRET, ...options });
    try {
      for (const id of [7, 8, 9]) {
        const socket = await connectPhoenix(server.port, {
          token: Token.sign(SECRET, "user auth", id),
        });
        assert.deepEqual(await join(socket.channel(`user:${id}`)), { messages: 0 });
        const other = socket.channel("user:1");
        const refused = new Promise((resolve) => other.join().receive("error", resolve));
        assert.deepEqual(await within(refused, "the refusal"), { reason: "not yours" });
        await disconnect(socket);
      }
      const forged = Token.sign("b".repeat(64), "user auth", 7);
      const url = `ws://127.0.0.1:${server.port}/socket/websocket?vsn=2.0.0&token=${forged}`;
      const client = new WebSocket(url);
      const [failure] = (await within(once(client, "error"), "the refusal")) as [Error];
      assert.match(failure.message, /403/);
    } finally {
      await server.close();
    }
  });
});
