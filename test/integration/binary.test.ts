/**
 * Payloads of bytes, with the official client: on one connection, over shards and nodes, at hosts.
 *
 * Runs on: the main thread of the tests; the server's shards are threads of the same process.
 */
import assert from "node:assert/strict";
import type { Channel, Socket } from "phoenix";
import { after, before, describe, it } from "node:test";
import { memoryAdapter } from "../../src/raw.ts";
import type { Broadcast } from "../../src/index.ts";
import { Client, joined } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import { connectPhoenix, disconnect, join, push, received } from "../support/phoenix-client.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";

const BYTES = Uint8Array.of(0, 1, 128, 255);

/** Returns the bytes of a received payload. */
function bytesOf(payload: unknown): number[] {
  assert.ok(payload instanceof ArrayBuffer);
  return [...new Uint8Array(payload)];
}

/** Receives the next broadcasts of a topic at a host. */
async function heardAt(server: Server, topic: string, count: number): Promise<Broadcast[]> {
  const heard: Broadcast[] = [];
  let stop: (() => void) | undefined;
  const arrived = new Promise<void>((resolve) => {
    stop = server.subscribe(topic, (broadcast) => {
      heard.push(broadcast);
      if (heard.length === count) resolve();
    });
  });
  await within(arrived, `${count} broadcasts of ${topic} at the host`).finally(() => stop?.());
  return heard;
}

for (const shards of [1, 2]) {
  describe(`Bytes, with ${shards} shards`, () => {
    let server: Server;
    const sockets: Socket[] = [];
    before(async () => {
      server = await startServer("conformance", { shards });
      for (let i = 0; i < 3; i += 1) sockets.push(await connectPhoenix(server.port));
    });
    after(async () => {
      await Promise.all(sockets.map(disconnect));
      await server.close();
    });

    /** Joins the topic on every connection. */
    async function everyone(topic: string): Promise<[Channel, ...Channel[]]> {
      const channels = sockets.map((socket) => socket.channel(topic, {}));
      for (const channel of channels) await join(channel);
      return channels as [Channel, ...Channel[]];
    }

    it("reach the client's channel and return, between texts", async () => {
      const [channel] = await everyone("room:echo");
      const pushed = received(channel, "pushed_bin");
      assert.deepEqual(await push(channel, "echo", { n: 1 }), { n: 1 });
      assert.deepEqual(bytesOf(await push(channel, "binary_echo", BYTES.buffer)), [...BYTES]);
      channel.push("binary_push", BYTES.buffer);
      assert.deepEqual(bytesOf(await pushed), [...BYTES]);
      assert.deepEqual(await push(channel, "binary_to_text", BYTES.buffer), { size: 4 });
      assert.deepEqual(bytesOf(await push(channel, "text_to_binary", { hex: "00ff" })), [0, 255]);
    });

    it("are broadcast to every connection, and to the host, in order with texts", async () => {
      const topic = 'room:"é🙂';
      const channels = await everyone(topic);
      const seen = channels.map((channel) => {
        const events: unknown[] = [];
        const last = received(channel, "ack_shout");
        channel.on("shout", (payload) => events.push(payload));
        channel.on("shout_binary", (payload) => events.push(bytesOf(payload)));
        return { events, last };
      });
      const heard = heardAt(server, topic, 4);
      const [sender] = channels;
      sender.push("shout", { n: 1 });
      sender.push("shout_binary", BYTES.buffer);
      sender.push("shout", { n: 2 });
      sender.push("ack_shout", {});
      for (const { events, last } of seen) {
        await last;
        assert.deepEqual(events, [{ n: 1 }, [...BYTES], { n: 2 }]);
      }
      assert.deepEqual(await heard, [
        { topic, event: "shout", payload: { n: 1 } },
        { topic, event: "shout_binary", payload: BYTES },
        { topic, event: "shout", payload: { n: 2 } },
        { topic, event: "ack_shout", payload: {} },
      ]);
    });

    it("are broadcast by the host, in every form, and large ones too", async () => {
      const channels = await everyone("room:host");
      const large = new Uint8Array(300_000).map((_, at) => at);
      for (const payload of [BYTES, BYTES.buffer, Buffer.from(BYTES), large]) {
        const arrived = Promise.all(channels.map((channel) => received(channel, "bin")));
        server.broadcast("room:host", "bin", payload);
        const sent = payload === large ? large : BYTES;
        for (const got of await arrived) assert.deepEqual(bytesOf(got), [...sent]);
      }
      assert.throws(() => server.broadcast(`room:${"x".repeat(251)}`, "bin", BYTES), {
        code: "SIM_ERR_PAYLOAD",
      });
    });

    it("end a version 1 channel on the topic, and no connection", async () => {
      const [sender] = await everyone("room:mixed");
      const olds: Client[] = [];
      for (let i = 0; i < 2; i += 1) olds.push(await Client.connect(server.port, { vsn: "1.0.0" }));
      for (const old of olds) await joined(old, "room:mixed");
      const echoed = received(sender, "shout_binary");
      sender.push("shout_binary", BYTES.buffer);
      assert.deepEqual(bytesOf(await echoed), [...BYTES]);
      for (const old of olds) {
        const { payload } = await old.next("phx_error");
        assert.deepEqual(payload, { reason: "missed broadcasts" });
        await joined(old, "room:mixed");
        await old.nothingMore();
        await old.cut();
      }
    });
  });
}

describe("Bytes between nodes", () => {
  it("arrive unchanged at clients and hosts", async () => {
    const nodes = await Promise.all(
      ["one", "two"].map((nodeName) =>
        startServer("nodes", {
          shards: 1,
          adapter: memoryAdapter({ hub: "binary-test", nodeName }),
        }),
      ),
    );
    const [near, far] = nodes as [Server, Server];
    const sockets = [await connectPhoenix(near.port), await connectPhoenix(far.port)] as const;
    try {
      const channels = sockets.map((socket) => socket.channel("room:1", {}));
      for (const channel of channels) await join(channel);
      const heard = heardAt(far, "room:1", 2);
      const arrived = Promise.all(channels.map((channel) => received(channel, "shout")));
      channels[0]?.push("shout", BYTES.buffer);
      for (const payload of await arrived) assert.deepEqual(bytesOf(payload), [...BYTES]);
      const direct = received(channels[1] as Channel, "direct");
      near.broadcast("room:1", "direct", BYTES, { node: "two" });
      assert.deepEqual(bytesOf(await direct), [...BYTES]);
      const payloads = (await heard).map(({ payload }) => payload);
      assert.deepEqual(payloads, [BYTES, BYTES]);
    } finally {
      await Promise.all(sockets.map(disconnect));
      await Promise.all(nodes.map((node) => node.close()));
    }
  });
});
