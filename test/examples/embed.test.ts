/**
 * The README's example, run as a reader would: two files, and the official client.
 *
 * Runs on: the test's thread; the server is a process of its own.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";

import { shardsOf } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";

const MAIN = fileURLToPath(new URL("./embed/main.js", import.meta.url));

/** Resolves with the payload of the next frame of an event. */
async function next(socket: WebSocket, event: string): Promise<unknown> {
  const frame = new Promise((resolve) => {
    socket.on("message", (data: Buffer) => {
      const [, , , name, payload] = JSON.parse(data.toString("utf8")) as unknown[];
      if (name === event) resolve(payload);
    });
  });
  return within(frame, event);
}

describe("the README's example", () => {
  let child: ReturnType<typeof spawn>;
  let port: string;

  before(async () => {
    const variables = { SIMURGH_HOST: "127.0.0.1", SIMURGH_PORT: "0", SIMURGH_SHARDS: "2" };
    const env = { ...process.env, ...variables, SIMURGH_LOG_LEVEL: "error" };
    child = spawn(process.execPath, [MAIN], { env, stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await within(once(child.stdout ?? child, "data"), "the line")) as [Buffer];
    const match = /^listening on port (\d+) with (\d) shards\n$/.exec(String(line));
    assert.ok(match, String(line));
    assert.equal(Number(match[2]), shardsOf(2));
    port = match[1] as string;
  });
  after(() => child.kill("SIGKILL"));

  async function connected(user: string): Promise<WebSocket> {
    const url = `ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0&user=${user}`;
    const socket = new WebSocket(url);
    await within(once(socket, "open"), `the connection of ${user}`);
    return socket;
  }

  async function joined(user: string): Promise<WebSocket> {
    const socket = await connected(user);
    const reply = next(socket, "phx_reply");
    socket.send('["1","1","room:lobby","phx_join",{}]');
    assert.deepEqual(await reply, { status: "ok", response: { hello: user } });
    return socket;
  }

  it("greets, replies, and broadcasts to clients of other shards and from the host", async () => {
    const [one, two] = await Promise.all([joined("ann"), joined("bob")]);
    const heard = [next(one, "said"), next(two, "said")];
    one.send('["1","2","room:lobby","say",{"text":"hi"}]');
    assert.deepEqual(await Promise.all(heard), [
      { text: "hi", from: "ann" },
      { text: "hi", from: "ann" },
    ]);
    const pong = next(two, "phx_reply");
    two.send('["1","2","room:lobby","ping",{"n":1}]');
    assert.deepEqual(await pong, { status: "ok", response: { n: 1 } });
    assert.equal(typeof ((await next(one, "tick")) as { atMs: unknown }).atMs, "number");
    one.terminate();
    two.terminate();
  });

  it("refuses a client without a user", async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`);
    const [error] = (await within(once(socket, "error"), "the refusal")) as [Error];
    assert.match(error.message, /403/);
  });

  it("closes on SIGTERM", async () => {
    const socket = await joined("cid");
    const closed = once(socket, "close");
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    assert.equal((await within(closed, "the close"))[0], 1012);
    assert.deepEqual(await within(exited, "the exit"), [0, null]);
  });
});
