/**
 * `handleInfo`: messages that a channel sends itself, its timers, and topics that it subscribes to.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { error, ok, stop } from "../../src/callbacks/results.ts";
import { JOIN, JOINED, CRASHED, CLOSED, push, replied } from "../support/channel-frames.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";

describe("handleInfo", () => {
  it("answers a caller in the shard through a function in the message, in the channel's order", async () => {
    interface Question {
      readonly answer: (count: unknown) => void;
    }
    const sockets: { send: (message: unknown) => void }[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          locals: () => ({ count: 0 }),
          handleIn: {
            keep: (socket) => void sockets.push(socket),
            count: (socket) => void (socket.locals["count"] = Number(socket.locals["count"]) + 1),
          },
          handleInfo: (socket, message) => (message as Question).answer(socket.locals["count"]),
        }),
      },
    });
    const count = '["11","2","room:1","count",{}]';
    world.joined().send('["11","2","room:1","keep",{}]', count, count);
    const asked = new Promise((answer) => {
      sockets[0]?.send({ answer });
    });
    assert.equal(await asked, 2);
  });

  it("gets what the channel sends to itself, after everything that was already waiting", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            do: (socket) => {
              socket.send({ n: 1 });
              socket.send({ n: 2 });
              socket.push("first", {});
              return ok();
            },
          },
          handleInfo: (socket, message) => socket.push("info", message),
        }),
      },
    });
    assert.deepEqual(world.joined().asked(push("do")), [
      '["11",null,"room:1","first",{}]',
      replied({}),
      '["11",null,"room:1","info",{"n":1}]',
      '["11",null,"room:1","info",{"n":2}]',
    ]);
  });

  it("may stop the channel, crash it, or return an invalid result, which crashes it", async () => {
    for (const [result, frame] of [
      [stop("normal"), CLOSED],
      [stop("other"), CRASHED],
      [ok(), CRASHED],
      [null, CRASHED],
      [Promise.resolve(stop("normal")), CLOSED],
      [Promise.resolve(7), CRASHED],
    ] as const) {
      const world = new World({
        channels: {
          "room:*": channel({
            handleIn: { do: (socket) => socket.send("x") },
            handleInfo: () => result as never,
          }),
        },
      });
      const client = world.joined();
      client.send(push("do"));
      await turn();
      assert.deepEqual(client.taken(), [frame]);
    }
  });

  it("lists its valid results", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: { do: (socket) => socket.send("x") },
          handleInfo: () => ok() as never,
        }),
      },
    });
    world.joined().send(push("do"));
    assert.equal(world.lastError(), "handleInfo must return nothing or stop(reason), got object");
  });

  it("that is missing causes a warning, and the channel goes on", () => {
    const world = new World({
      channels: {
        "room:*": channel({ handleIn: { do: (socket) => socket.send([]), echo: () => ok() } }),
      },
    });
    const client = world.joined();
    assert.deepEqual(client.asked(push("do"), push("echo", "3")), [replied({}, "ok", "3")]);
    assert.deepEqual(world.troubles(), ["a message was received, but there is no handleInfo"]);
    assert.deepEqual(world.log.find(({ fields }) => "got" in fields)?.fields, {
      topic: "room:1",
      connection: 0,
      id: null,
      got: "array",
    });
  });

  it("refuses a delay that timers do not support", () => {
    const refused: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            do: (socket) => {
              for (const delayMs of [-1, 2 ** 31, Number.NaN]) {
                try {
                  socket.sendAfter(delayMs, "never");
                } catch (thrown) {
                  refused.push(thrown instanceof Error ? thrown.message : thrown);
                }
              }
            },
          },
        }),
      },
    });
    world.joined().send(push("do"));
    const subject = "delayMs must be a number from 0 to 2147483647 (ms), got";
    assert.deepEqual(refused, [`${subject} -1`, `${subject} 2147483648`, `${subject} NaN`]);
  });

  it("gets a message after a delay, unless it is cancelled or the channel ends", (test) => {
    test.mock.timers.enable({ apis: ["setTimeout"] });
    const seen: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            do: (socket) => {
              socket.sendAfter(100, "first");
              const cancel = socket.sendAfter(100, "cancelled");
              socket.sendAfter(200, "late");
              cancel();
              cancel();
            },
          },
          handleInfo: (_, message) => void seen.push(message),
        }),
      },
    });
    const client = world.joined();
    client.send(push("do"));
    test.mock.timers.tick(99);
    assert.deepEqual(seen, []);
    test.mock.timers.tick(1);
    assert.deepEqual(seen, ["first"]);
    client.send(push("phx_leave", "3"));
    test.mock.timers.tick(1_000);
    assert.deepEqual(seen, ["first"]);
  });

  it("gets no timer's message after its channel has ended", (test) => {
    test.mock.timers.enable({ apis: ["setTimeout"] });
    const sockets: { sendAfter: (delayMs: number, message: unknown) => () => void }[] = [];
    const world = new World({
      channels: { "room:*": channel({ handleIn: { do: (socket) => void sockets.push(socket) } }) },
    });
    const client = world.joined();
    client.send(push("do"), push("phx_leave", "3"));
    const cancel = sockets[0]?.sendAfter(10, "x");
    test.mock.timers.tick(1_000);
    cancel?.();
    assert.deepEqual(world.troubles(), []);
  });

  it("gets broadcasts of other topics, once for each subscription", () => {
    const seen: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          join: (socket) => {
            socket.subscribe("news");
            return ok();
          },
          handleIn: {
            twice: (socket) => socket.subscribe("news"),
            stop: (socket) => socket.unsubscribe("news"),
          },
          handleInfo: (_, message) => void seen.push(message),
        }),
      },
    });
    const client = world.joined();
    const news = { topic: "news", event: "e", payload: { n: 1 } };
    world.member.broadcast("news", "e", { n: 1 });
    assert.deepEqual(seen.splice(0), [news]);
    client.send(push("twice"));
    world.member.broadcast("news", "e", { n: 1 });
    assert.deepEqual(seen.splice(0), [news, news]);
    client.send(push("stop", "3"));
    world.member.broadcast("news", "e", { n: 1 });
    assert.deepEqual(seen, []);
    assert.deepEqual(client.taken(), []);
    assert.equal(world.member.pubsub.registry.get("news"), undefined);
  });

  it("gets broadcasts of other topics from before its join was answered, after the answer", async () => {
    const join = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          join: async (socket) => {
            socket.subscribe("news");
            await join.promise;
            return ok();
          },
          handleInfo: (socket, message) => socket.push("info", message),
        }),
      },
    });
    const client = world.connect();
    client.send(JOIN);
    world.member.broadcast("news", "e", {});
    join.resolve(undefined);
    await turn();
    assert.deepEqual(client.taken(), [
      JOINED,
      '["11",null,"room:1","info",{"topic":"news","event":"e","payload":{}}]',
    ]);
  });

  it("gets nothing from other topics once the channel has ended, however it ended", () => {
    const room = channel({
      join: (socket, payload) => {
        socket.subscribe("news");
        if (payload === "throw") throw new Error("boom");
        return payload === "refuse" ? error() : ok();
      },
      handleIn: { boom: () => Promise.reject(new Error("boom")) },
    });
    const world = new World({ channels: { "room:*": room } });
    const client = world.connect();
    client.send(
      '["11","1","room:1","phx_join","throw"]',
      '["11","1","room:1","phx_join","refuse"]',
    );
    assert.equal(world.member.pubsub.registry.size, 0);
    client.send(JOIN, push("phx_leave"));
    assert.equal(world.member.pubsub.registry.size, 0);
    client.send(JOIN);
    client.connection.lose();
    assert.equal(world.member.pubsub.registry.size, 0);
  });
});
