/**
 * The examples of histories, with the official client.
 *
 * Runs on: the test's thread; the server's shards and its keeper are threads of the same process.
 */

import assert from "node:assert/strict";
import type { Channel, Socket } from "phoenix";
import { after, afterEach, before, describe, it } from "node:test";

import { serve } from "../../src/index.ts";
import { within } from "../support/deadline.ts";
import { connectPhoenix, disconnect, join } from "../support/phoenix-client.ts";
import type { Server } from "../support/server.ts";

/** Collects a field of an event's payloads. */
function collect(channel: Channel, event: string, field: string): string[] {
  const found: string[] = [];
  channel.on(event, (payload) => {
    found.push((payload as Record<string, string>)[field] ?? "");
  });
  return found;
}

async function until(channel: Channel, event: string, isDone = (): boolean => true): Promise<void> {
  const done = new Promise<void>((resolve) => {
    channel.on(event, () => {
      if (isDone()) resolve();
    });
  });
  await within(done, event);
}

describe("the examples of histories", () => {
  let server: Server;
  let sockets: Socket[] = [];
  before(async () => {
    server = await serve({
      app: new URL("./history/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: 2,
      logLevel: "silent",
    });
  });
  after(() => server.close());
  afterEach(async () => {
    await Promise.all(sockets.map(disconnect));
    sockets = [];
  });

  async function page(user: string): Promise<Socket> {
    const socket = await connectPhoenix(server.port, { user });
    sockets.push(socket);
    return socket;
  }

  it("show a newcomer the last messages of a chat", async () => {
    const ann = (await page("ann")).channel("room:1");
    await join(ann);
    const said = collect(ann, "said", "text");
    for (const text of ["a", "b", "c"]) ann.push("say", { text });
    await until(ann, "said", () => said.length === 3);
    const ben = (await page("ben")).channel("room:1", { history: { last: 2 } });
    const backlog = collect(ben, "said", "text");
    const all = until(ben, "said", () => backlog.length === 2);
    await join(ben);
    await all;
    assert.deepEqual(backlog, ["b", "c"]);
  });

  it("go on with an answer while its page reloads in the middle of a sentence", async () => {
    const first = (await page("ann")).channel("answer:1", { history: { last: 10_000 } });
    await join(first);
    const seen = collect(first, "word", "word");
    const some = until(first, "word", () => seen.length === 3);
    first.push("ask", { question: "What is the Simurgh?" });
    await some;
    await Promise.all(sockets.map(disconnect));
    sockets = [];
    const again = (await page("ann")).channel("answer:1", { history: { last: 10_000 } });
    const words = collect(again, "word", "word");
    const done = until(again, "done");
    await join(again);
    await done;
    assert.equal(words.join(" "), "You asked: What is the Simurgh? Nobody knows.");
  });
});
