/**
 * An example of testing channels: a room and its tests.
 *
 * Runs on: the thread of a test.
 */

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import { defineChannel, defineEndpoint, defineSocket, error, ok, reply } from "simurgh";
import {
  assertBroadcast,
  assertCrashed,
  assertDisconnected,
  assertPush,
  assertReply,
  closeApp,
  connect,
  join,
  leave,
  refuteBroadcast,
  refutePush,
  subscribeAndJoin,
  type TestSocket,
} from "simurgh/testing";

// -- the app, which usually has files of its own ---------------------------------------------------

const userSocket = defineSocket({
  connect({ params }) {
    return params["name"] === undefined ? error({ reason: "who?" }) : ok({ name: params["name"] });
  },
  id: ({ assigns }) => `users:${assigns.name}`,
});

const room = defineChannel(userSocket, {
  join(socket, payload: { key?: string }) {
    if (socket.topic === "room:secret" && payload.key !== "sesame") {
      return error({ reason: "unauthorized" });
    }
    return ok({ you: socket.assigns.name });
  },
  joined: (socket) => socket.broadcast("joined", { name: socket.assigns.name }),
  handleIn: {
    new_msg(socket, { body }: { body: string }) {
      if (body.length === 0) return error({ reason: "empty" });
      socket.broadcast("new_msg", { body, from: socket.assigns.name, at: Date.now() });
      return reply("ok");
    },
    typing: (socket) => socket.broadcastFrom("typing", { who: socket.assigns.name }),
  },
  intercept: {
    // Clients are not told about their own joining.
    joined(socket, payload) {
      const { name } = payload as { name: string };
      if (name !== socket.assigns.name) socket.push("joined", { name });
    },
  },
  terminate: (socket) => socket.broadcast("left", { name: socket.assigns.name }),
});

const app = defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
});

// -- its tests -------------------------------------------------------------------------------------

afterEach(() => closeApp(app));

async function connectAs(name: string): Promise<TestSocket> {
  return connect(app, { params: { name } });
}

describe("the socket", () => {
  it("accepts a client with a name", async () => {
    const socket = await connectAs("ann");
    assert.equal(socket.id, "users:ann");
    assert.deepEqual(socket.assigns, { name: "ann" });
  });

  it("refuses a client without a name", async () => {
    await assert.rejects(connect(app), { reason: { reason: "who?" } });
  });

  it("is closed when its user is banned", async () => {
    const socket = await connectAs("ann");
    socket.context.disconnect("users:ann");
    await assertDisconnected(socket, 1001);
  });
});

describe("a room", () => {
  it("greets a client that joins", async () => {
    const { reply: answer } = await subscribeAndJoin(await connectAs("ann"), "room:lobby");
    assert.deepEqual(answer.response, { you: "ann" });
  });

  it("refuses a client that does not know the key", async () => {
    const { reply: answer } = await join(await connectAs("eve"), "room:secret", { key: "guess" });
    assert.deepEqual(answer, { status: "error", response: { reason: "unauthorized" } });
  });

  it("gives a message to everyone in it", async () => {
    const { channel: ann } = await subscribeAndJoin(await connectAs("ann"), "room:lobby");
    const { channel: bob } = await join(await connectAs("bob"), "room:lobby");

    await assertReply(ann.push("new_msg", { body: "hi" }), "ok");
    await assertBroadcast(ann, "new_msg", { body: "hi", from: "ann" });
    await assertPush(bob, "new_msg", { body: "hi", at: (at: number) => at <= Date.now() });
  });

  it("refuses an empty message", async () => {
    const { channel } = await subscribeAndJoin(await connectAs("ann"), "room:lobby");
    await assertReply(channel.push("new_msg", { body: "" }), "error", { reason: "empty" });
    await refuteBroadcast(channel, "new_msg");
  });

  it("tells only the others that a client is typing", async () => {
    const { channel: ann } = await join(await connectAs("ann"), "room:lobby");
    const { channel: bob } = await join(await connectAs("bob"), "room:lobby");
    ann.push("typing");
    await assertPush(bob, "typing", { who: "ann" });
    await refutePush(ann, "typing");
  });

  it("announces joining and leaving, but not to the joining client itself", async () => {
    const { channel: ann } = await join(await connectAs("ann"), "room:lobby");
    const { channel: bob } = await join(await connectAs("bob"), "room:lobby");
    await assertPush(ann, "joined", { name: "bob" });
    await refutePush(bob, "joined");

    await leave(bob);
    await assertPush(ann, "left", { name: "bob" });
  });

  it("crashes on an unknown event, and the client joins again", async () => {
    const { channel } = await join(await connectAs("ann"), "room:lobby");
    channel.push("no such event");
    await assertCrashed(channel, { reason: "channel_crash" });
  });
});
