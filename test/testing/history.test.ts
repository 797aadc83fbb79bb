/**
 * Channels with a history in tests of apps: the code of a server's keeper, within the thread of the test.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import { defineChannel, defineEndpoint, defineSocket, ok } from "../../src/index.ts";
import {
  assertPush,
  assertReply,
  closeApp,
  connect,
  join,
  refutePush,
} from "../../src/testing/index.ts";

const socket = defineSocket({ connect: () => ok({}) });
const room = defineChannel(socket, {
  history: { size: 3, ttlMs: 60_000 },
  join: () => ok({ hello: 1 }),
  handleIn: {
    say: (channel, payload: object) => channel.broadcast("said", payload),
    others: (channel, payload: object) => channel.broadcastFrom("said", payload),
    publish: async (channel, payload: object) => {
      const { offset } = await channel.context.publish(channel.topic, "said", payload);
      return ok({ offset });
    },
    read: async (channel) =>
      ok({ messages: (await channel.context.history(channel.topic)).messages }),
  },
});
const endpoint = defineEndpoint({
  sockets: { "/socket": { socket, channels: { "room:*": room } } },
});

interface Joined {
  readonly history: {
    readonly epoch: string;
    readonly offset: string;
    readonly recovered: boolean;
  };
}

describe("A history in a test of an app", () => {
  afterEach(async () => closeApp(endpoint));

  it("is kept, and replayed to a client that comes back", async () => {
    const first = await join(await connect(endpoint), "room:1", { history: null });
    const { history } = first.reply.response as Joined;
    first.channel.push("say", { n: 1 });
    await assertPush(first.channel, "said", { n: 1 });
    first.channel.push("others", { n: 2 });
    const second = await join(await connect(endpoint), "room:1", {
      history: { epoch: history.epoch, offset: history.offset },
    });
    const joined = second.reply.response as Joined;
    assert.deepEqual([joined.history.recovered, joined.history.offset], [true, history.offset]);
    await assertPush(second.channel, "said", { n: 1 });
    await assertPush(second.channel, "said", { n: 2 });
    await refutePush(first.channel, "said", { n: 2 }, { timeoutMs: 20 });
  });

  it("answers publishes and reads", async () => {
    const { channel } = await join(await connect(endpoint), "room:1");
    await assertReply(channel.push("publish", { n: 1 }), "ok", { offset: "1000000000001" });
    await assertReply(channel.push("read"), "ok", {
      messages: [{ offset: "1000000000001", event: "said", payload: { n: 1 } }],
    });
  });
});
