import { defineChannel, defineEndpoint, defineSocket, ok } from "simurgh";
import { assertPush, closeApp, refutePush, subscribeAndJoin, testApp } from "simurgh/testing";
import { afterEach, expect, test } from "vitest";

const userSocket = defineSocket({ connect: () => ok({}) });

/** Asks a client that has said nothing for a minute whether it is still there. */
const room = defineChannel(userSocket, {
  locals: () => ({ cancel: () => {} }),
  join(socket) {
    socket.locals.cancel = socket.sendAfter(60_000, "idle");
    return ok();
  },
  handleIn: {
    say(socket, payload: { text: string }) {
      socket.locals.cancel();
      socket.locals.cancel = socket.sendAfter(60_000, "idle");
      socket.broadcast("said", payload);
    },
  },
  handleInfo: (socket) => socket.push("still_there"),
});

const endpoint = defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
});

afterEach(() => closeApp(endpoint));

test("a client that says nothing for a minute is asked", async () => {
  const app = await testApp(endpoint, { time: "virtual" });
  const { reply, channel } = await subscribeAndJoin(await app.connect(), "room:lobby");
  expect(reply.status).toBe("ok");

  await app.advance(59_999);
  await refutePush(channel, "still_there");
  await app.advance(1);
  await assertPush(channel, "still_there");
});

test("a client that says something is asked a minute later", async () => {
  const app = await testApp(endpoint, { time: "virtual" });
  const { channel } = await subscribeAndJoin(await app.connect(), "room:lobby");
  await app.advance(30_000);
  channel.push("say", { text: "hi" });

  await refutePush(channel, "still_there", undefined, { timeoutMs: 59_999 });
  await assertPush(channel, "still_there", undefined, { timeoutMs: 1 });
});
