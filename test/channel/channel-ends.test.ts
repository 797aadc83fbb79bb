import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { error, ok, stop } from "../../src/callbacks/results.ts";
import type { ExitReason } from "../../src/callbacks/results.ts";
import { within } from "../support/deadline.ts";
import { TestNode } from "../support/members.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";

const JOIN = '["11","1","room:1","phx_join",{}]';
const JOINED = '["11","1","room:1","phx_reply",{"status":"ok","response":{}}]';
const LEAVE = '["11","2","room:1","phx_leave",{}]';
const LEFT = '["11","2","room:1","phx_reply",{"status":"ok","response":{}}]';
const CLOSED = '["11","11","room:1","phx_close",{}]';
const CRASHED = '["11","11","room:1","phx_error",{"reason":"channel_crash"}]';
const LAST_WORDS = '["11",null,"room:1","last_words",{}]';

/** A channel that pushes in `terminate`, and records the reason. */
function talkative(ends: unknown[] = []): ReturnType<typeof channel> {
  return channel({
    handleIn: {
      boom: () => {
        throw new Error("boom");
      },
      stop: () => stop("normal"),
      stop_reply: () => stop("normal", ok()),
      stop_other: () => stop("other"),
    },
    terminate: (socket, reason: ExitReason) => {
      ends.push(reason instanceof Error ? reason.message : reason);
      socket.push("last_words", {});
    },
  });
}

describe("the end of a channel", () => {
  it("after a leave: the reply, phx_close, then what terminate pushes", () => {
    const ends: unknown[] = [];
    const world = new World({ channels: { "room:*": talkative(ends) } });
    assert.deepEqual(world.joined().asked(LEAVE), [LEFT, CLOSED, LAST_WORDS]);
    assert.deepEqual(ends, [{ shutdown: "left" }]);
    assert.equal(world.count, 0);
    assert.equal(world.member.pubsub.registry.size, 0);
  });

  it("after a crash: what terminate pushes, then phx_error", () => {
    const ends: unknown[] = [];
    const world = new World({ channels: { "room:*": talkative(ends) } });
    const frames = world.joined().asked('["11","2","room:1","boom",{}]');
    assert.deepEqual(frames, [LAST_WORDS, CRASHED]);
    assert.deepEqual(ends, ["boom"]);
    assert.equal(world.count, 0);
    assert.equal(world.member.pubsub.registry.size, 0);
  });

  it("after a graceful stop: phx_close, then terminate; otherwise terminate, then phx_error", () => {
    const ends: unknown[] = [];
    const world = new World({ channels: { "room:*": talkative(ends) } });
    const asked = (event: string): string[] =>
      world.joined().asked(`["11","2","room:1","${event}",{}]`);
    assert.deepEqual(asked("stop"), [CLOSED, LAST_WORDS]);
    assert.deepEqual(asked("stop_reply"), [LEFT, CLOSED, LAST_WORDS]);
    assert.deepEqual(asked("stop_other"), [LAST_WORDS, CRASHED]);
    assert.deepEqual(ends, ["normal", "normal", "other"]);
    assert.equal(world.count, 0);
  });

  it("with the connection: terminate, and nothing is sent", () => {
    const ends: unknown[] = [];
    const world = new World({ channels: { "room:*": talkative(ends) } });
    const client = world.joined(["room:1", "room:2"]);
    client.connection.lose();
    assert.deepEqual(ends, [{ shutdown: "closed" }, { shutdown: "closed" }]);
    assert.deepEqual(client.taken(), []);
    assert.equal(world.count, 0);
    assert.equal(world.member.pubsub.registry.size, 0);
  });

  it("after lost broadcasts: terminate, then phx_error with that reason", () => {
    const ends: unknown[] = [];
    const world = new World({ channels: { "room:*": talkative(ends) } });
    const client = world.joined();
    world.member.pubsub.onLapped(1, "all");
    assert.deepEqual(client.taken(), [
      LAST_WORDS,
      '["11","11","room:1","phx_error",{"reason":"missed broadcasts"}]',
    ]);
    assert.deepEqual(ends, ["broadcasts of the topic were lost between threads"]);
    // At debug level, since it may affect all channels of a shard at once; another line reports that once.
    const told = world.log.find(({ text }) => text.startsWith("a channel missed broadcasts"));
    assert.equal(told?.level, "debug");
    assert.ok(world.log.every(({ level }) => level !== "error"));
    assert.match(client.asked(LEAVE)[0] ?? "", /"status":"ok"/);
  });

  it("after lost broadcasts of another topic that it subscribed to", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          join: (socket) => {
            socket.subscribe("news");
            return ok();
          },
        }),
      },
    });
    const client = world.joined();
    const { index, pubsub } = world.member;
    pubsub.onLapped(1, Int32Array.of(index.slotOf(pubsub.registry.hashOf("news"))));
    assert.deepEqual(client.taken(), [
      '["11","11","room:1","phx_error",{"reason":"missed broadcasts"}]',
    ]);
  });

  it("after lost broadcasts of another topic while its join is awaited", async () => {
    const join = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          join: async (socket) => {
            socket.subscribe("news");
            await join.promise;
            return ok();
          },
        }),
      },
    });
    const client = world.connect();
    client.send(JOIN);
    world.member.pubsub.onLapped(1, "all");
    join.resolve(undefined);
    await turn();
    assert.equal(world.count, 0);
    assert.equal(client.taken().length > 0, true);
    assert.equal(world.member.pubsub.registry.size, 0);
  });

  it("waits for the messages before a leave", async () => {
    const slow = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: { slow: () => slow.promise as never, echo: (_, payload) => ok(payload) },
        }),
      },
    });
    const client = world.joined();
    client.send('["11","3","room:1","slow",{}]', '["11","4","room:1","echo",4]', LEAVE);
    client.send('["11","5","room:1","echo",5]');
    slow.resolve(ok());
    await turn();
    assert.deepEqual(client.taken(), [
      '["11","3","room:1","phx_reply",{"status":"ok","response":{}}]',
      '["11","4","room:1","phx_reply",{"status":"ok","response":4}]',
      LEFT,
      CLOSED,
    ]);
  });

  it("comes after the handler on the stack if that handler cuts its own connection", () => {
    const calls: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            quit: (socket) => {
              world.member.broadcast(socket.id ?? "", "disconnect", {});
              calls.push("handler");
              return ok();
            },
          },
          terminate: (_, reason) => void calls.push(reason),
        }),
      },
    });
    const client = world.joined(["room:1"], { id: "users:1" });
    assert.deepEqual(client.asked('["11","2","room:1","quit",{}]'), []);
    assert.equal(client.connection.closeCode, 1001);
    assert.deepEqual(calls, ["handler", { shutdown: "disconnected" }]);
  });

  it("waits for the asynchronous handler when the connection ends, but not for new messages", async () => {
    const slow = new Deferred();
    const calls: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            slow: async () => {
              await slow.promise;
              calls.push("handled");
              return ok();
            },
          },
          terminate: (_, reason) => void calls.push(reason),
        }),
      },
    });
    const client = world.joined();
    client.send('["11","2","room:1","slow",{}]');
    client.connection.lose();
    assert.deepEqual(calls, []);
    slow.resolve(undefined);
    await turn();
    assert.deepEqual(calls, ["handled", { shutdown: "closed" }]);
    assert.equal(world.count, 0);
  });

  it("comes for a channel whose connection ended while its join was awaited", async () => {
    const join = new Deferred();
    const ends: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          join: () => join.promise as never,
          terminate: (_, reason) => void ends.push(reason),
        }),
      },
    });
    const client = world.connect();
    client.send(JOIN);
    client.connection.lose();
    join.resolve(ok());
    await turn();
    assert.deepEqual(ends, [{ shutdown: "closed" }]);
    assert.equal(world.count, 0);
    assert.equal(world.member.pubsub.registry.size, 0);
    await world.callbacks.live.allGone();
  });
});

describe("terminate", () => {
  it("is logged if it throws, and the channel still ends", async () => {
    for (const terminate of [
      (): never => {
        throw new Error("in terminate");
      },
      async (): Promise<never> => Promise.reject(new Error("in terminate")),
    ]) {
      const world = new World({
        channels: { "room:*": channel({ terminate, handleIn: { stop: () => stop("other") } }) },
      });
      const client = world.joined();
      assert.deepEqual(client.asked(LEAVE), [LEFT, CLOSED]);
      await turn();
      assert.deepEqual(world.troubles(), ["terminate threw"]);
      client.send(JOIN, '["11","2","room:1","stop",{}]');
      await turn();
      assert.deepEqual(client.taken(), [JOINED, CRASHED]);
      await world.callbacks.live.allGone();
    }
  });

  it("delays phx_error while it is awaited, and may push until it settles", async () => {
    const end = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: { stop: () => stop("other") },
          terminate: async (socket) => {
            await end.promise;
            socket.push("last_words", {});
          },
        }),
      },
    });
    const client = world.joined();
    assert.deepEqual(client.asked('["11","2","room:1","stop",{}]'), []);
    assert.equal(world.count, 0);
    world.member.broadcast("room:1", "e", {});
    end.resolve(undefined);
    await turn();
    assert.deepEqual(client.taken(), [LAST_WORDS, CRASHED]);
  });

  it("is abandoned if it never settles, and the client still gets phx_error", async () => {
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: { stop: () => stop("other") },
          terminate: () => new Deferred().promise as never,
        }),
      },
      handlerTimeoutMs: 1_000,
    });
    const client = world.joined();
    client.send('["11","2","room:1","stop",{}]');
    world.passTime(900);
    assert.deepEqual(client.taken(), []);
    world.passTime(1_001);
    assert.deepEqual(client.taken(), [CRASHED]);
    assert.match(client.asked('["11","3","room:1","stop",{}]')[0] ?? "", /unmatched topic/);
    await world.callbacks.live.allGone();
  });

  it("does not delay a rejoin after a leave, and gets no more broadcasts of the topic", async () => {
    const end = new Deferred();
    const world = new World({
      channels: { "room:*": channel({ terminate: () => end.promise as never }) },
    });
    const client = world.joined();
    assert.deepEqual(client.asked(LEAVE, '["12","3","room:1","phx_join",{}]'), [
      LEFT,
      CLOSED,
      '["12","3","room:1","phx_reply",{"status":"ok","response":{}}]',
    ]);
    world.member.broadcast("room:1", "e", {});
    assert.deepEqual(client.taken(), ['[null,null,"room:1","e",{}]']);
    end.resolve(undefined);
    await turn();
    world.member.broadcast("room:1", "e", {});
    assert.deepEqual(client.taken(), ['[null,null,"room:1","e",{}]']);
    assert.equal(world.count, 1);
  });

  it("sends nothing more if a rejoin overtakes it after a crash", async () => {
    const end = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: { stop: () => stop("other") },
          terminate: () => end.promise as never,
        }),
      },
    });
    const client = world.joined();
    client.send('["11","2","room:1","stop",{}]', '["12","3","room:1","phx_join",{}]');
    end.resolve(undefined);
    await turn();
    assert.deepEqual(client.taken(), [
      '["12","3","room:1","phx_reply",{"status":"ok","response":{}}]',
      CLOSED,
    ]);
    assert.equal(world.count, 1);
  });

  it("runs with shutdown for a refused join, and cannot push", () => {
    const ends: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          join: () => error(),
          terminate: (socket, reason) => {
            ends.push(reason);
            socket.push("last_words");
          },
        }),
      },
    });
    assert.deepEqual(world.connect().asked(JOIN), [
      '["11","1","room:1","phx_reply",{"status":"error","response":{}}]',
    ]);
    assert.deepEqual(ends, ["shutdown"]);
    assert.deepEqual(world.troubles(), []);
  });

  it("may broadcast to others even if its own connection is gone", () => {
    const world = new World({
      channels: {
        "room:*": channel({ terminate: (socket) => socket.broadcastFrom("left", { n: 1 }) }),
      },
    });
    const [leaver, loser, closed, stays] = [1, 2, 3, 4].map(() => world.joined());
    const left = '[null,null,"room:1","left",{"n":1}]';
    leaver?.send(LEAVE);
    assert.deepEqual(stays?.taken(), [left]);
    loser?.connection.lose();
    assert.deepEqual(stays?.taken(), [left]);
    if (closed) closed.socket.end(1012, { shutdown: "draining" });
    assert.deepEqual(stays?.taken(), [left]);
  });

  it("may broadcast to other threads and to itself", () => {
    const node = new TestNode();
    const world = new World({
      channels: { "room:*": channel({ terminate: (socket) => socket.broadcast("left", {}) }) },
      node,
    });
    const other = new World({ channels: { "room:*": channel() }, node, member: 1 });
    const [here, there] = [world.joined(), other.joined()];
    assert.deepEqual(here.asked(LEAVE), [LEFT, CLOSED, '[null,null,"room:1","left",{}]']);
    other.member.drain();
    assert.deepEqual(there.taken(), ['[null,null,"room:1","left",{}]']);
  });
});

describe("all channels", () => {
  it("have ended if there are none", async () => {
    assert.equal(await new World({ channels: {} }).callbacks.live.allGone(), 0);
  });

  it("are waited for up to a time limit, and those that are left are counted", async () => {
    const ends = [new Deferred(), new Deferred(), new Deferred()];
    let next = 0;
    const world = new World({
      channels: { "room:*": channel({ terminate: () => ends[next++]?.promise as never }) },
    });
    const client = world.joined(["room:1", "room:2", "room:3"]);
    client.connection.lose();
    ends[1]?.resolve(undefined);
    assert.equal(await within(world.callbacks.live.allGone(10), "the end of the time"), 2);
    ends[0]?.resolve(undefined);
    ends[2]?.resolve(undefined);
    assert.equal(await within(world.callbacks.live.allGone(60_000), "the end of the channels"), 0);
  });

  it("have ended when the last terminate has settled", async () => {
    const ends = [new Deferred(), new Deferred()];
    let next = 0;
    const world = new World({
      channels: { "room:*": channel({ terminate: () => ends[next++]?.promise as never }) },
    });
    const client = world.joined(["room:1", "room:2"]);
    let isEnded = false;
    const ended = world.callbacks.live.allGone().then(() => (isEnded = true));
    const endedToo = world.callbacks.live.allGone();
    client.connection.lose();
    ends[0]?.resolve(undefined);
    await turn();
    assert.equal(isEnded, false);
    ends[1]?.resolve(undefined);
    await within(Promise.all([ended, endedToo]), "the end for both who wait for it");
  });

  it("are reported to have ended once each, when nothing more reaches their clients", async () => {
    const gate = new Deferred();
    const refused = channel({ join: () => error() });
    const slow = channel({ terminate: async () => void (await gate.promise) });
    const world = new World({ channels: { "room:*": talkative(), refused, slow } });
    for (const ending of ["boom", "stop", "phx_leave"]) {
      world.joined(["room:1"]).send(`["11","2","room:1","${ending}",{}]`);
    }
    // A rejoin replaces the first.
    const client = world.joined(["room:2"]);
    client.send('["12","2","room:2","phx_join",{}]', '["13","3","refused","phx_join",{}]');
    client.connection.lose();
    assert.deepEqual(world.closed, ["room:1", "room:1", "room:1", "room:2", "refused", "room:2"]);
    world.joined(["slow"]).connection.lose();
    assert.equal(world.closed.length, 6);
    gate.resolve(undefined);
    await turn();
    assert.deepEqual(world.closed.at(-1), "slow");
  });

  it("are counted when they join and when they end, for whatever reason", async () => {
    const world = new World({ channels: { "room:*": talkative() } });
    for (const ending of ["boom", "stop", "stop_other", "phx_leave", "phx_join", "nope"]) {
      const client = world.joined(["room:1", "room:2"]);
      assert.equal(world.count, 2);
      client.send(`["11","2","room:1","${ending}",{}]`);
      client.connection.lose();
      assert.equal(world.count, 0, ending);
    }
    assert.equal(world.member.pubsub.registry.size, 0);
    assert.deepEqual(
      [...world.publisher.topics.values()].filter(({ size }) => size > 0),
      [],
    );
    await world.callbacks.live.allGone();
  });
});
