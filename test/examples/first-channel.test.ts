import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertBroadcast, closeApp, connect, refutePush, subscribeAndJoin } from "simurgh/testing";
import app from "./embed/app.ts";

afterEach(() => closeApp(app));

test("what is said goes to everyone in the room", async () => {
  const ann = await connect(app, { params: { user: "ann" } });
  const { reply, channel } = await subscribeAndJoin(ann, "room:lobby");
  assert.deepEqual(reply.response, { hello: "ann" });

  channel.push("say", { text: "hi" });
  await assertBroadcast(channel, "said", { text: /^h/, from: "ann" });
  await refutePush(channel, "said", { from: "bob" });
});
