/**
 * The guide for Phoenix users: its app does the same as the Elixir code.
 *
 * Runs on: the thread of a test.
 */

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import { Token } from "simurgh/token";
import {
  assertBroadcast,
  assertClosed,
  assertPush,
  assertReply,
  closeApp,
  connect,
  join,
  leave,
  refutePush,
  subscribeAndJoin,
  type TestChannel,
  type TestSocket,
} from "simurgh/testing";
import app from "./from-phoenix/app.ts";

const ROOM = "room:lobby";

afterEach(() => closeApp(app));

/** The default secret of apps in tests. */
const secretKeyBase = "test".repeat(16);

function connectAs(user: number): Promise<TestSocket> {
  return connect(app, { params: { token: Token.sign(secretKeyBase, "user auth", user) } });
}

async function joinAs(user: number): Promise<TestChannel> {
  const { channel } = await subscribeAndJoin(await connectAs(user), ROOM);
  return channel;
}

describe("the app of the guide from Phoenix", () => {
  it("accepts the user of a Phoenix token, under its id", async () => {
    assert.equal((await connectAs(7)).id, "users:7");
    await assert.rejects(connect(app, { params: { token: "no" } }));
  });

  it("refuses a join, and answers another", async () => {
    const refused = await join(await connectAs(7), "room:private");
    assert.deepEqual(refused.reply, { status: "error", response: { reason: "unauthorized" } });
    const { reply } = await subscribeAndJoin(await connectAs(7), ROOM);
    assert.deepEqual(reply, { status: "ok", response: { you: "7" } });
  });

  it("tracks a client after its join, and sends it the presences", async () => {
    const channel = await joinAs(7);
    await assertPush(channel, "presence_state", {});
    await assertPush(channel, "presence_diff", { joins: { 7: {} } });
  });

  it("replies with a count kept in its locals", async () => {
    const channel = await joinAs(7);
    await assertReply(channel.push("say", { text: "hi" }), "ok", { said: 1 });
    await assertReply(channel.push("say", { text: "ho" }), "ok", { said: 2 });
    await assertBroadcast(channel, "said", { text: "hi", from: "7" });
  });

  it("hides a muted user's messages from one channel only", async () => {
    const [one, two] = [await joinAs(1), await joinAs(2)];
    two.push("mute", { user: "1" });
    one.push("say", { text: "hi" });
    await assertPush(one, "said", { text: "hi" });
    await refutePush(two, "said");
  });

  it("replies later, through a ref", async () => {
    const channel = await joinAs(7);
    await assertReply(channel.push("report"), "ok", { report: "of room:lobby" });
  });

  it("forwards broadcasts of another topic", async () => {
    const channel = await joinAs(7);
    channel.socket.context.broadcast("news", "headline", { text: "extra" });
    await assertPush(channel, "headline", { text: "extra" });
  });

  it("ends with a reply, and tells the others", async () => {
    const [one, two] = [await joinAs(1), await joinAs(2)];
    const push = one.push("quit");
    await assertReply(push, "ok");
    await assertClosed(one);
    await assertPush(two, "left", { user: "1" });
    await leave(two);
  });
});
