/**
 * The guide to presences, tested as a user would.
 *
 * Runs on: the test's thread; the guide's clients are processes of their own.
 */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { afterEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import {
  assertBroadcast,
  assertPush,
  closeApp,
  connect,
  join,
  leave,
  refutePush,
  subscribeAndJoin,
} from "simurgh/testing";
import { serve } from "../../src/index.ts";
import { Watched } from "../support/watched.ts";
import app, { presence } from "./presence/app.ts";

const CLIENT = fileURLToPath(new URL("./presence/client.js", import.meta.url));

const isRef = (ref: unknown): boolean => /^[\w-]{16}$/.test(String(ref));

afterEach(() => closeApp(app));

describe("the app of the presence guide", () => {
  it("announces a client that joins, and sends it the list of presences", async () => {
    const ann = await connect(app, { params: { user: "ann" } });
    const { channel } = await subscribeAndJoin(ann, "room:1", { device: "phone" });
    const metas = [{ device: "phone", phx_ref: isRef }];
    await assertPush(channel, "presence_state", { ann: { metas } });
    await assertBroadcast(channel, "presence_diff", { joins: { ann: { metas } }, leaves: {} });

    const bob = await connect(app, { params: { user: "bob" } });
    const { channel: other } = await join(bob, "room:1");
    await assertPush(other, "presence_state", { ann: { metas }, bob: {} });
    await assertPush(channel, "presence_diff", { joins: { bob: {} } });
  });

  it("announces a client that leaves, in whatever way", async () => {
    const ann = await connect(app, { params: { user: "ann" } });
    const { channel } = await join(ann, "room:1");
    for (const user of ["bob", "cat"]) {
      const { channel: other } = await join(await connect(app, { params: { user } }), "room:1");
      await assertPush(channel, "presence_diff", { joins: { [user]: {} } });
      if (user === "bob") await leave(other);
      else other.socket.connection.lose(1006);
      await assertPush(channel, "presence_diff", { leaves: { [user]: {} } });
    }
    assert.deepEqual(Object.keys(presence.list(ann.context, "room:1")), ["ann"]);
    await refutePush(channel, "presence_diff", { leaves: { ann: {} } }, { timeoutMs: 10 });
  });

  it("starts empty with each app, and belongs to no app afterwards", async () => {
    const ann = await connect(app, { params: { user: "ann" } });
    await join(ann, "room:1");
    assert.equal(presence.getByKey("room:1", "ann")?.metas.length, 1);
    const { context } = ann;
    await closeApp(app);
    assert.throws(() => presence.list(context, "room:1"), { code: "SIM_ERR_PRESENCE" });
    const again = await connect(app, { params: { user: "bob" } });
    assert.deepEqual({ ...presence.list(again.context, "room:1") }, {});
  });
});

/** The guide's client, in a process of its own. */
class GuideClient {
  readonly process: ChildProcess;
  readonly #said = new Watched();
  #output = "";

  constructor(port: number, user: string, device: string) {
    const url = `ws://127.0.0.1:${port}/socket`;
    const child = spawn(process.execPath, [CLIENT, user, device, url], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.on("data", (text: Buffer) => {
      this.#output += text.toString();
      this.#said.changed();
    });
    this.process = child;
  }

  says(line: string): Promise<void> {
    return this.#said.until(line, () => this.#output.split("\n").includes(line));
  }
}

describe("the client of the presence guide", () => {
  it("prints who is in the room, who comes and who leaves", async () => {
    const server = await serve({
      app: new URL("./presence/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: 2,
      logLevel: "silent",
    });
    const clients: GuideClient[] = [];
    const start = (user: string, device: string): GuideClient => {
      const client = new GuideClient(server.port, user, device);
      clients.push(client);
      return client;
    };
    try {
      const ann = start("ann", "phone");
      await ann.says("here: ann (phone)");
      const bob = start("bob", "laptop");
      await bob.says("here: ann (phone), bob (laptop)");
      await ann.says("bob came");
      await ann.says("here: ann (phone), bob (laptop)");
      bob.process.kill();
      await ann.says("bob left");
    } finally {
      for (const { process: child } of clients) child.kill();
      await server.close();
    }
  });
});
