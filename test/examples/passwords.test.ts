/**
 * The example of passwords: the official client signs in, and a page hashes a password.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Channel, Socket } from "phoenix";

import { serve } from "../../src/index.ts";
import { Token } from "../../src/token/index.ts";
import { connectPhoenix, disconnect, join, push } from "../support/phoenix-client.ts";
import { SECRET_KEY_BASE, type Server } from "../support/server.ts";
import tasks from "./passwords/tasks.ts";

const { functions } = tasks;

describe("the example of passwords", () => {
  let server: Server;
  let socket: Socket;
  let channel: Channel;

  before(async () => {
    server = await serve({
      app: new URL("./passwords/app.js", import.meta.url),
      data: { ann: functions.hash("open sesame") },
      host: "127.0.0.1",
      port: 0,
      shards: 1,
      taskThreads: 1,
      secretKeyBase: SECRET_KEY_BASE,
      logLevel: "silent",
    });
    socket = await connectPhoenix(server.port);
    channel = socket.channel("sign-in");
    await join(channel);
  });
  after(async () => {
    await disconnect(socket);
    await server.close();
  });

  it("returns a token for the right password", async () => {
    const answer = await push(channel, "login", { user: "ann", password: "open sesame" });
    const { token } = answer as { readonly token: string };
    const read = Token.verify(SECRET_KEY_BASE, "user auth", token);
    assert.equal(read.ok && read.data, "ann");
  });

  it("refuses a wrong password, an unknown user, and anything else", async () => {
    const refusals = [
      [{ user: "ann", password: "open rye" }, "wrong"],
      [{ user: "constructor", password: "open sesame" }, "wrong"],
      [{ user: "ann" }, "invalid"],
    ] as const;
    for (const [login, reason] of refusals) {
      await assert.rejects(push(channel, "login", login), (error: Error) =>
        error.message.includes(reason),
      );
    }
  });

  it("hashes a password for a page", async () => {
    const url = `http://127.0.0.1:${server.port}/hash`;
    const response = await fetch(url, { method: "POST", body: "correct horse" });
    const made = await response.text();
    assert.equal(functions.verify({ password: "correct horse", hash: made }), true);
    assert.equal(functions.verify({ password: "wrong horse", hash: made }), false);
  });
});
