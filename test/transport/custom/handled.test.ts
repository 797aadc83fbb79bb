/**
 * What a custom transport learns about messages that it has passed on: whether they were handled, and whether a reply
 * comes later.
 *
 * Runs on: the test's thread, with a whole shard; the test is the transport.
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";

import { error, ok } from "../../../src/callbacks/results.ts";
import { defineChannel } from "../../../src/channel/definition.ts";
import type { LaterReply } from "../../../src/channel/later-reply.ts";
import { defineSocket } from "../../../src/socket/definition.ts";
import { defineTransport } from "../../../src/transport/custom/definition.ts";
import type {
  TransportClient,
  TransportConnection,
  TransportHost,
} from "../../../src/transport/custom/definition.ts";
import { startShard, type TestShard } from "../../support/shard.ts";
import { Deferred, turn } from "../../support/world.ts";

/** What the handlers wait for. */
let gate = new Deferred<void>();
let later: LaterReply | undefined;

const socket = defineSocket({ connect: () => ok() });
const room = defineChannel(socket, {
  join(_socket, { waits, refuses }: { waits?: boolean; refuses?: boolean }) {
    const answer = refuses ? error({ reason: "full" }) : ok();
    return waits ? gate.promise.then(() => answer) : answer;
  },
  handleIn: {
    now: () => {},
    async wait() {
      await gate.promise;
    },
    async fail() {
      await gate.promise;
      throw new Error("as asked");
    },
    later(each) {
      later = each.replyLater();
    },
  },
  async terminate() {
    await turn();
  },
});

describe("what a custom transport has passed on", () => {
  const shards: TestShard[] = [];
  after(() => {
    for (const shard of shards) shard.close();
  });

  class Client implements TransportClient {
    connection: TransportConnection | undefined;
    readonly frames: unknown[] = [];
    readonly later: unknown[] = [];
    /** Whether the topic was idle, at each call. */
    readonly handledWhenIdle: boolean[] = [];

    send(frame: string | Uint8Array): void {
      this.frames.push(frame);
    }

    close(): void {}

    handled(): void {
      this.handledWhenIdle.push(this.connection?.isHandling("room:1") === false);
    }

    repliesLater(topic: string, ref: unknown): void {
      this.later.push([topic, ref]);
    }

    get isHandling(): boolean | undefined {
      return this.connection?.isHandling("room:1");
    }

    receive(ref: string, event: string, payload: object = {}): void {
      this.connection?.receive(JSON.stringify(["1", ref, "room:1", event, payload]));
    }

    /** Resolves when it was told that its topic is idle. */
    async idle(): Promise<void> {
      while (!this.handledWhenIdle.includes(true)) await turn();
    }
  }

  async function opened(): Promise<Client> {
    gate = new Deferred();
    let host: TransportHost | undefined;
    const transport = defineTransport({ name: "line", start: (given) => void (host = given) });
    const shard = await startShard({
      sockets: { "/socket": { socket, channels: { "room:*": room } } },
      transports: [transport],
    });
    shards.push(shard);
    const decision = await host?.connect({ path: "/socket", params: { vsn: "2.0.0" } });
    assert.ok(decision?.result === "ok");
    const client = new Client();
    client.connection = decision.open(client);
    return client;
  }

  async function joined(): Promise<Client> {
    const client = await opened();
    client.receive("1", "phx_join");
    client.handledWhenIdle.splice(0);
    return client;
  }

  it("is handled at once if nothing waits, and on a topic without a channel", async () => {
    const client = await opened();
    assert.equal(client.isHandling, false);
    client.receive("1", "phx_join");
    assert.equal(client.isHandling, false);
    client.receive("2", "now");
    assert.equal(client.isHandling, false);
  });

  it("is handled when the promise of its handler has settled", async () => {
    const client = await joined();
    client.receive("2", "wait");
    assert.equal(client.isHandling, true);
    gate.resolve();
    await client.idle();
    assert.equal(client.isHandling, false);
  });

  it("is handled when what waits in the mailbox is", async () => {
    const client = await joined();
    client.receive("2", "wait");
    client.receive("3", "wait");
    client.receive("4", "now");
    gate.resolve();
    await client.idle();
    assert.deepEqual([client.isHandling, client.handledWhenIdle.at(0)], [false, false]);
  });

  it("is handled when its handler has failed, after the channel's end was sent", async () => {
    const client = await joined();
    client.receive("2", "fail");
    gate.resolve();
    while (client.isHandling) await turn();
    assert.equal(client.frames.at(-1), '["1","1","room:1","phx_error",{"reason":"channel_crash"}]');
  });

  it("is handled when a join is answered, also by a refusal", async () => {
    for (const refuses of [false, true]) {
      const client = await opened();
      client.receive("1", "phx_join", { waits: true, refuses });
      assert.equal(client.isHandling, true);
      gate.resolve();
      await client.idle();
      assert.equal(client.frames.length, 1);
    }
  });

  it("is said to be answered later if its handler calls replyLater", async () => {
    const client = await joined();
    client.receive("7", "later");
    assert.deepEqual([client.later, client.isHandling], [[["room:1", "7"]], false]);
    later?.reply("ok", { n: 1 });
    const reply = '["1","7","room:1","phx_reply",{"status":"ok","response":{"n":1}}]';
    assert.equal(client.frames.at(-1), reply);
  });

  it("loses its client, and no other, if the transport throws when it is told", async () => {
    const client = await joined();
    client.handled = () => {
      throw new Error("as asked");
    };
    client.receive("2", "wait");
    gate.resolve();
    while (client.connection?.isOpen) await turn();
    assert.equal(client.isHandling, false);
  });
});
