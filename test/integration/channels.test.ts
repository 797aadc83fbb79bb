/**
 * What a client sees of channels: every row of the dispatch table, every order, and every limit.
 *
 * Runs on: the main thread of the tests; the server's shards are threads of the same process.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Client, joined } from "../support/client.ts";
import type { Message } from "../support/frames.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";

const UNMATCHED = { status: "error", response: { reason: "unmatched topic" } };
const OK = { status: "ok", response: {} };

/** Returns a message's event and payload, which most tests check. */
function told({ event, payload }: Message): [string, unknown] {
  return [event, payload];
}

/** Joins a room and reads the greeting that each room sends to itself. */
async function entered(client: Client, topic: string): Promise<void> {
  await joined(client, topic);
  await client.next("welcome");
}

describe("A channel", () => {
  let server: Server;
  let client: Client;
  before(async () => {
    server = await startServer("channels", { shards: 2 });
  });
  after(() => server.close());

  /** Runs a test with a connection of its own. */
  function withClient(what: string, test: () => Promise<void>): void {
    it(what, async () => {
      client = await Client.connect(server.port, { params: { user_id: "ann" } });
      try {
        await test();
      } finally {
        await client.cut();
      }
    });
  }

  describe("by the message it receives", () => {
    withClient("answers a heartbeat without a joinRef, whatever came with it", async () => {
      client.sendMessage({
        joinRef: "7",
        ref: "r",
        topic: "phoenix",
        event: "heartbeat",
        payload: 1,
      });
      const expected = {
        joinRef: null,
        ref: "r",
        topic: "phoenix",
        event: "phx_reply",
        payload: OK,
      };
      assert.deepEqual(await client.next(), expected);
    });

    withClient("joins with the joinRef and the ref of the join", async () => {
      client.join("room:1");
      const expected = {
        joinRef: "11",
        ref: "1",
        topic: "room:1",
        event: "phx_reply",
        payload: OK,
      };
      assert.deepEqual(await client.next(), expected);
    });

    withClient("refuses a topic without a route, and leaves the joinRef out", async () => {
      client.join("nowhere");
      const { joinRef, ref, payload } = await client.next("phx_reply");
      assert.deepEqual([joinRef, ref, payload], [null, "1", UNMATCHED]);
    });

    withClient("is replaced by a join of its topic, even with the same joinRef", async () => {
      await entered(client, "room:1");
      client.sendMessage({
        joinRef: "11",
        ref: "2",
        topic: "room:1",
        event: "phx_join",
        payload: {},
      });
      assert.deepEqual(await client.replyTo("2"), OK);
      const { joinRef, ref } = await client.next("phx_close");
      assert.deepEqual([joinRef, ref], ["11", "11"]);
      await client.next("welcome");
    });

    withClient("accepts a leave with its joinRef or with null", async () => {
      await entered(client, "room:1");
      assert.deepEqual(await client.replyTo(client.leave("room:1")), OK);
      await client.next("phx_close");
      await entered(client, "room:1");
      client.sendMessage({
        joinRef: null,
        ref: "x",
        topic: "room:1",
        event: "phx_leave",
        payload: {},
      });
      const { joinRef, ref } = await client.next("phx_reply");
      assert.deepEqual([joinRef, ref], ["12", "x"]);
      await client.next("phx_close");
    });

    withClient("ignores a leave with another joinRef", async () => {
      await entered(client, "room:1");
      client.sendMessage({
        joinRef: "99",
        ref: "x",
        topic: "room:1",
        event: "phx_leave",
        payload: {},
      });
      await client.nothingMore();
      assert.equal((await client.replyTo(client.push("room:1", "echo"))).status, "ok");
    });

    withClient("accepts an event with its joinRef or with null", async () => {
      await entered(client, "room:1");
      await client.replyTo(client.push("room:1", "echo"));
      client.sendMessage({ joinRef: null, ref: "x", topic: "room:1", event: "echo", payload: {} });
      assert.equal((await client.next("phx_reply")).joinRef, "11");
    });

    withClient("ignores an event whose joinRef has another value or type", async () => {
      await entered(client, "room:1");
      for (const joinRef of ["99", 11, ""]) {
        client.sendMessage({ joinRef, ref: "x", topic: "room:1", event: "echo", payload: {} });
      }
      await client.nothingMore();
    });

    withClient(
      "that does not exist answers a leave with ok and the client's own refs",
      async () => {
        client.sendMessage({
          joinRef: "5",
          ref: "6",
          topic: "room:1",
          event: "phx_leave",
          payload: {},
        });
        const { joinRef, ref, payload } = await client.next("phx_reply");
        assert.deepEqual([joinRef, ref, payload], ["5", "6", OK]);
      },
    );

    withClient("that does not exist answers an event with an error and no joinRef", async () => {
      client.sendMessage({ joinRef: "5", ref: "6", topic: "room:1", event: "echo", payload: {} });
      const { joinRef, ref, payload } = await client.next("phx_reply");
      assert.deepEqual([joinRef, ref, payload], [null, "6", UNMATCHED]);
    });

    withClient("returns refs with the JSON type that they had", async () => {
      for (const ref of [7, null, true, { a: [1] }]) {
        client.sendMessage({ joinRef: null, ref, topic: "room:1", event: "echo", payload: {} });
        assert.deepEqual((await client.next("phx_reply")).ref, ref);
      }
    });
  });

  describe("in order", () => {
    withClient("answers the join before it pushes", async () => {
      await joined(client, "room:1");
      assert.deepEqual((await client.next()).event, "welcome");
    });

    withClient("answers a refused join, and sends nothing more", async () => {
      const response = { reason: "not today" };
      assert.deepEqual(await client.replyTo(client.join("room:refused")), {
        status: "error",
        response,
      });
      await client.nothingMore();
      assert.deepEqual(await client.replyTo(client.push("room:refused", "echo")), UNMATCHED);
    });

    for (const topic of ["room:throws", "room:nonsense"]) {
      withClient(`answers a join that crashed (${topic}) with "join crashed"`, async () => {
        const response = { reason: "join crashed" };
        assert.deepEqual(await client.replyTo(client.join(topic)), { status: "error", response });
        await client.nothingMore();
      });
    }

    withClient("reports that push and broadcast inside join are too early", async () => {
      const said = (await joined(client, "early")) as Record<string, string>;
      assert.match(said["push"] ?? "", /push .*join/);
      assert.match(said["broadcast"] ?? "", /broadcast .*join/);
    });

    withClient("leaves with reply, phx_close and the pushes of terminate", async () => {
      await entered(client, "room:last words");
      assert.deepEqual(await client.replyTo(client.leave("room:last words")), OK);
      assert.equal((await client.next("phx_close")).ref, "11");
      assert.deepEqual(told(await client.next()), [
        "terminated",
        { reason: '{"shutdown":"left"}' },
      ]);
      assert.deepEqual(await client.replyTo(client.push("room:last words", "echo")), UNMATCHED);
    });

    withClient("handles earlier messages before a leave", async () => {
      await entered(client, "room:1");
      await entered(client, "room:2");
      const waiting = client.push("room:1", "wait", { gate: "before leave" });
      const leaving = client.leave("room:1");
      client.push("room:2", "open", { gate: "before leave" });
      assert.equal((await client.replyTo(waiting)).status, "ok");
      assert.deepEqual(await client.replyTo(leaving), OK);
      await client.next("phx_close");
    });

    withClient("ends before it is joined again if a join follows a leave", async () => {
      await entered(client, "room:1");
      const left = client.leave("room:1");
      const rejoined = client.join("room:1");
      assert.deepEqual(await client.replyTo(left), OK);
      assert.equal((await client.next("phx_close")).joinRef, "11");
      assert.deepEqual(await client.replyTo(rejoined), OK);
      assert.equal((await client.next("welcome")).joinRef, "12");
    });

    withClient("does not terminate if a join replaces it", async () => {
      await entered(client, "room:last words");
      assert.deepEqual(await client.replyTo(client.join("room:last words")), OK);
      assert.equal((await client.next("phx_close")).joinRef, "11");
      assert.equal((await client.next("welcome")).joinRef, "12");
      await client.nothingMore();
    });

    withClient("crashes with its pushes, those of terminate, then phx_error", async () => {
      await entered(client, "room:last words");
      client.push("room:last words", "push_then_throw");
      await client.next("last words");
      const reason = "Error: thrown after a push";
      assert.deepEqual(told(await client.next()), ["terminated", { reason }]);
      const { joinRef, ref, payload } = await client.next("phx_error");
      assert.deepEqual([joinRef, ref, payload], ["11", "11", { reason: "channel_crash" }]);
      await client.nothingMore();
    });

    for (const event of ["no such event", "reject", "nonsense", "constructor"]) {
      withClient(`crashes, alone, on the event "${event}"`, async () => {
        await entered(client, "room:1");
        await entered(client, "room:2");
        client.push("room:1", event);
        assert.equal((await client.next("phx_error")).topic, "room:1");
        assert.equal((await client.replyTo(client.push("room:2", "echo"))).status, "ok");
        assert.deepEqual(await client.replyTo(client.push("room:1", "echo")), UNMATCHED);
      });
    }

    withClient("crashes if it broadcasts something that is not an object", async () => {
      await entered(client, "room:1");
      client.push("room:1", "shout", "text");
      assert.deepEqual((await client.next("phx_error")).payload, { reason: "channel_crash" });
    });

    for (const reason of ["normal", "shutdown", { shutdown: "for good" }]) {
      withClient(`closes if it stops with ${JSON.stringify(reason)}`, async () => {
        await entered(client, "room:1");
        client.push("room:1", "stop", { reason });
        assert.deepEqual((await client.next("phx_close")).payload, {});
      });
    }

    withClient("sends phx_error if it stops with another reason", async () => {
      await entered(client, "room:1");
      client.push("room:1", "stop", { reason: "boredom" });
      assert.deepEqual((await client.next("phx_error")).payload, { reason: "channel_crash" });
    });

    withClient("replies before it stops", async () => {
      await entered(client, "room:1");
      const stopping = client.push("room:1", "stop_reply", { reason: "boredom" });
      assert.deepEqual((await client.replyTo(stopping)).response, { bye: true });
      await client.next("phx_error");
    });

    withClient("broadcasts before it replies, and to itself as well", async () => {
      await entered(client, "room:1");
      const shouting = client.push("room:1", "shout_ack", { n: 1 });
      const shout = await client.next("shout");
      assert.deepEqual([shout.joinRef, shout.ref, shout.payload], [null, null, { n: 1 }]);
      await client.replyTo(shouting);
    });

    withClient("pushes what it intercepts after its reply", async () => {
      await entered(client, "room:1");
      await client.replyTo(client.push("room:1", "secret_ack", { n: 1 }));
      const secret = await client.next("secret");
      assert.deepEqual([secret.joinRef, secret.payload], ["11", { payload: { n: 1 }, to: "ann" }]);
    });
  });

  describe("among others", () => {
    withClient(
      "reaches every member of its topic, on every shard, but not itself with broadcastFrom",
      async () => {
        const others = await Promise.all([1, 2, 3].map(() => Client.connect(server.port)));
        await Promise.all([client, ...others].map((member) => entered(member, "room:many")));
        client.push("room:many", "shout_from", { n: 1 });
        client.push("room:many", "shout", { n: 2 });
        assert.deepEqual(told(await client.next()), ["shout", { n: 2 }]);
        for (const other of others) {
          assert.deepEqual(told(await other.next()), ["shout", { n: 1 }]);
          assert.deepEqual(told(await other.next()), ["shout", { n: 2 }]);
          await other.cut();
        }
      },
    );

    withClient("sends each member its own form of an intercepted event", async () => {
      const bob = await Client.connect(server.port, { params: { user_id: "bob" } });
      await Promise.all([entered(client, "room:secret"), entered(bob, "room:secret")]);
      client.push("room:secret", "secret_ack", {});
      assert.deepEqual((await bob.next("secret")).payload, { payload: {}, to: "bob" });
      await bob.cut();
    });

    withClient("receives another topic until it unsubscribes", async () => {
      const other = await Client.connect(server.port);
      await Promise.all([entered(client, "room:listener"), entered(other, "room:source")]);
      await client.replyTo(client.push("room:listener", "subscribe", { topic: "room:source" }));
      await other.replyTo(other.push("room:source", "echo"));
      other.push("room:source", "shout", { n: 1 });
      const heard = { topic: "room:source", event: "shout", payload: { n: 1 } };
      assert.deepEqual(told(await client.next()), ["heard", heard]);
      await other.next("shout");
      await client.replyTo(client.push("room:listener", "unsubscribe", { topic: "room:source" }));
      await entered(other, "room:listener");
      other.push("room:source", "shout", { n: 2 });
      other.push("room:listener", "shout", { n: 3 });
      assert.deepEqual(told(await client.next()), ["shout", { n: 3 }]);
      await other.cut();
    });

    withClient("uses version 1.0.0 for one member and 2.0.0 for another", async () => {
      const old = await Client.connect(server.port, { vsn: "1.0.0" });
      await Promise.all([entered(client, "room:mixed"), entered(old, "room:mixed")]);
      old.push("room:mixed", "shout", { from: "old" });
      assert.deepEqual(told(await client.next()), ["shout", { from: "old" }]);
      assert.deepEqual(told(await old.next()), ["shout", { from: "old" }]);
      await old.replyTo(old.leave("room:mixed"));
      assert.equal((await old.next("phx_close")).ref, null);
      await old.cut();
    });

    withClient("sends nothing if its connection is ended by the socket's id", async () => {
      await entered(client, "room:1");
      server.disconnect("users:ann");
      assert.equal((await client.closed()).code, 1001);
    });

    withClient("ends with its connection if a frame is malformed", async () => {
      await entered(client, "room:1");
      client.sendText("[1,2");
      assert.equal((await client.closed()).code, 1011);
    });
  });

  describe("with asynchronous handlers", () => {
    withClient("handles messages one after the other, in order", async () => {
      await entered(client, "room:1");
      await entered(client, "room:2");
      const waiting = client.push("room:1", "wait", { gate: "order" });
      const echoes = [1, 2, 3].map((n) => client.push("room:1", "echo", { n }));
      const other = client.push("room:2", "echo", {});
      client.push("room:2", "open", { gate: "order" });
      await client.replyTo(other);
      assert.deepEqual((await client.replyTo(waiting)).response, { passed: "order" });
      for (const [i, ref] of echoes.entries()) {
        assert.deepEqual((await client.replyTo(ref)).response, { n: i + 1 });
      }
    });

    withClient(
      "does not delay another topic by a slow join, and keeps messages that wait for it",
      async () => {
        await entered(client, "room:1");
        const joining = client.join("room:gated", { gate: "join" });
        const early = client.push("room:gated", "echo", { early: true });
        await client.replyTo(client.push("room:1", "echo", {}));
        client.push("room:1", "open", { gate: "join" });
        assert.deepEqual((await client.replyTo(joining)).response, { passed: "join" });
        assert.deepEqual((await client.replyTo(early)).response, { early: true });
      },
    );

    withClient("answers a message later, and more than once", async () => {
      await entered(client, "room:1");
      const kept = client.push("room:1", "keep_ref");
      client.push("room:1", "answer_kept", { n: 1 });
      assert.deepEqual(await client.replyTo(kept), { status: "ok", response: { n: 1 } });
      assert.deepEqual(await client.replyTo(kept), { status: "again", response: { n: 1 } });
    });

    withClient("sends itself a message later", async () => {
      await entered(client, "room:1");
      client.push("room:1", "later", { ms: 5, push: "tick" });
      await client.next("tick");
    });

    withClient("does not get a message that it cancelled", async () => {
      await entered(client, "room:1");
      client.push("room:1", "later", { ms: 30, push: "cancelled" });
      client.push("room:1", "cancel");
      client.push("room:1", "later", { ms: 60, push: "tick" });
      await client.next("tick");
    });

    withClient("cancels its later messages when it ends", async () => {
      await entered(client, "room:1");
      client.push("room:1", "later", { ms: 30, push: "of the old one" });
      await client.replyTo(client.leave("room:1"));
      await client.next("phx_close");
      await entered(client, "room:1");
      client.push("room:1", "later", { ms: 60, push: "of the new one" });
      await client.next("of the new one");
    });
  });

  describe("with state", () => {
    withClient("has locals of its own, created again for the next join", async () => {
      await entered(client, "room:1");
      await entered(client, "room:2");
      const counts: unknown[] = [];
      for (const topic of ["room:1", "room:1", "room:2"]) {
        counts.push((await client.replyTo(client.push(topic, "count"))).response);
      }
      assert.deepEqual(counts, [{ count: 1 }, { count: 2 }, { count: 1 }]);
      client.leave("room:1");
      await client.next("phx_reply");
      await client.next("phx_close");
      await entered(client, "room:1");
      assert.deepEqual((await client.replyTo(client.push("room:1", "count"))).response, {
        count: 1,
      });
    });

    withClient("changes only its own assigns", async () => {
      await entered(client, "room:1");
      await entered(client, "room:2");
      await client.replyTo(client.push("room:1", "paint", { color: "red" }));
      assert.deepEqual((await client.replyTo(client.push("room:1", "color"))).response, {
        color: "red",
      });
      assert.deepEqual((await client.replyTo(client.push("room:2", "color"))).response, {
        color: "none",
      });
    });
  });
});

describe("A limit", () => {
  let server: Server;
  let client: Client;
  before(async () => {
    const bounds = { maxChannels: 2, maxMailbox: 3, handlerTimeoutMs: 100, joinTimeoutMs: 100 };
    server = await startServer("channels", { shards: 1, ...bounds });
    client = await Client.connect(server.port);
    await entered(client, "room:other");
  });
  after(async () => {
    await client.cut();
    await server.close();
  });

  it("refuses a join above maxChannels until a channel is left", async () => {
    await entered(client, "room:1");
    const response = { reason: "too many channels joined" };
    const refused = client.join("room:2");
    const { joinRef, ref, payload } = await client.next("phx_reply");
    assert.deepEqual([joinRef, ref], [client.joinRef("room:2"), refused]);
    assert.deepEqual(payload, { status: "error", response });
    await client.replyTo(client.leave("room:1"));
    await client.next("phx_close");
    await entered(client, "room:2");
    await client.replyTo(client.leave("room:2"));
    await client.next("phx_close");
  });

  it("ends a channel whose handler takes longer than handlerTimeoutMs, and no other", async () => {
    await entered(client, "room:slow");
    client.push("room:slow", "never");
    const { topic, payload } = await client.next("phx_error");
    assert.deepEqual([topic, payload], ["room:slow", { reason: "handler timeout" }]);
    assert.equal((await client.replyTo(client.push("room:other", "echo"))).status, "ok");
  });

  it("answers a join that takes longer than joinTimeoutMs with an error, and takes the next", async () => {
    const late = client.join("room:gated", { gate: "late" });
    const { status, response } = await client.replyTo(late);
    assert.deepEqual([status, response], ["error", { reason: "join timeout" }]);
    // The late join continues now, without an effect.
    client.push("room:other", "open", { gate: "late" });
    await client.nothingMore();
    assert.equal(await server.subscribers("room:gated"), 0);
    const again = client.join("room:gated", { gate: "in time" });
    client.push("room:other", "open", { gate: "in time" });
    assert.deepEqual(await client.replyTo(again), {
      status: "ok",
      response: { passed: "in time" },
    });
    await client.replyTo(client.leave("room:gated"));
    await client.next("phx_close");
  });

  it("ends a channel with more than maxMailbox waiting messages, and no other", async () => {
    await entered(client, "room:flooded");
    client.push("room:flooded", "never");
    for (let n = 1; n <= 3; n += 1) client.push("room:flooded", "echo", { n });
    await client.nothingMore();
    client.push("room:flooded", "echo", { n: 4 });
    const { topic, payload } = await client.next("phx_error");
    assert.deepEqual([topic, payload], ["room:flooded", { reason: "mailbox full" }]);
    assert.equal((await client.replyTo(client.push("room:other", "echo"))).status, "ok");
  });
});
