/**
 * Phoenix's unmodified official client, with servers of one, two and eight shards.
 *
 * Runs on: the main thread of the tests; the server's shards are threads of the same process.
 * Slow: servers of 1 to 8 shards.
 */
import assert from "node:assert/strict";
import type { Channel, Socket } from "phoenix";
import { after, before, describe, it } from "node:test";
import {
  connectPhoenix,
  disconnect,
  join,
  leave,
  push,
  received,
} from "../support/phoenix-client.ts";
import { freePort, startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";

for (const shards of [1, 2, 8]) {
  describe(`The official client, with ${shards} shards`, () => {
    let server: Server;
    const sockets: Socket[] = [];
    before(async () => {
      server = await startServer("channels", { shards, port: await freePort() });
      // More connections than shards, so that every shard has some.
      for (let i = 0; i <= shards; i += 1) {
        sockets.push(await connectPhoenix(server.port, { user_id: `user ${i}` }));
      }
    });
    after(async () => {
      await Promise.all(sockets.map(disconnect));
      await server.close();
    });

    /** Joins the topic on every connection. */
    async function everyone(topic: string): Promise<Channel[]> {
      const channels = sockets.map((socket) => socket.channel(topic, {}));
      const greetings = channels.map((channel) => received(channel, "welcome"));
      await Promise.all(channels.map(join));
      await Promise.all(greetings);
      return channels;
    }

    it("joins, pushes and gets replies", async () => {
      const [channel] = await everyone("room:replies");
      assert.ok(channel);
      assert.deepEqual(await push(channel, "echo", { n: 1 }), { n: 1 });
      assert.equal(channel.state, "joined");
    });

    it("is told why a join is refused", async () => {
      const [socket] = sockets;
      assert.ok(socket);
      const channel = socket.channel("room:refused", {});
      await assert.rejects(join(channel), /error \{"reason":"not today"\}/);
      await leave(channel);
    });

    it("gets the broadcasts of every other connection", async () => {
      const channels = await everyone("room:broadcasts");
      for (const [from, channel] of channels.entries()) {
        const heard = channels.map((other) => received(other, "shout"));
        channel.push("shout", { from });
        assert.deepEqual(
          await Promise.all(heard),
          channels.map(() => ({ from })),
        );
      }
    });

    it("leaves, and gets nothing more", async () => {
      const channels = await everyone("room:left");
      const [first, second] = channels;
      assert.ok(first && second);
      let isToldAfterLeave = false;
      first.on("shout", () => {
        isToldAfterLeave = true;
      });
      await leave(first);
      assert.equal(first.state, "closed");
      const heard = received(second, "shout");
      second.push("shout", {});
      await heard;
      const [socket] = sockets;
      assert.ok(socket);
      await join(socket.channel("room:fence", {}));
      assert.equal(isToldAfterLeave, false);
    });

    it("automatically rejoins a channel that crashed", async () => {
      const [channel] = await everyone("room:crashing");
      assert.ok(channel);
      const greeting = received(channel, "welcome");
      channel.push("reject", {});
      await greeting;
      assert.deepEqual(await push(channel, "echo", { after: "crash" }), { after: "crash" });
    });

    it("reconnects and joins again after the server restarts on the same port", async () => {
      const channels = await everyone("room:restart");
      const back = channels.map((channel) => received(channel, "welcome"));
      const { port } = server;
      await server.close();
      server = await startServer("channels", { shards, port });
      await Promise.all(back);
      const [first, ...others] = channels;
      assert.ok(first);
      const heard = others.map((other) => received(other, "shout"));
      first.push("shout", { after: "restart" });
      assert.deepEqual(
        await Promise.all(heard),
        others.map(() => ({ after: "restart" })),
      );
    });
  });
}
