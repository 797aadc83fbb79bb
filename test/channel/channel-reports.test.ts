import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";

import { error, ok, stop } from "../../src/callbacks/results.ts";
import type { EventName } from "../../src/telemetry.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";

type Published = Readonly<Record<string, unknown>>;

/** Runs a function, and returns what was published while it ran, by event. */
async function published(
  name: EventName,
  work: () => void | Promise<void>,
): Promise<readonly Published[]> {
  const events: Published[] = [];
  const take = (event: unknown): void => void events.push(event as Published);
  subscribe(`simurgh:${name}`, take);
  try {
    await work();
  } finally {
    unsubscribe(`simurgh:${name}`, take);
  }
  return events;
}

function withoutDuration(event: Published | undefined): unknown {
  const { durationMs, ...rest } = event ?? {};
  assert.ok(typeof durationMs === "number" && durationMs >= 0 && durationMs < 10_000);
  return rest;
}

const room = channel({
  join: (_, payload) => (payload === "refuse" ? error() : ok()),
  handleIn: {
    echo: () => ok(),
    boom: () => {
      throw new Error("boom");
    },
    stop: () => stop("other"),
  },
});

/** Returns the level, the text and the fields of the lines, without times. */
function linesOf(world: World): unknown[] {
  return world.log.map(({ level, text, fields }) => {
    const { durationMs: _, params: __, err, ...rest } = fields;
    const reason = err instanceof Error ? { message: err.message } : {};
    return [level, text, { ...rest, ...reason }];
  });
}

describe("the log of joins", () => {
  const ANN = { connection: 0, id: "users:ann" };

  it("names the topic, the connection and the id of its user", () => {
    const world = new World({ channels: { "room:*": room }, maxChannels: 1 });
    const client = world.connect({ id: "users:ann" });
    client.send('["1","1","room:1","phx_join",{}]', '["2","2","room:1","phx_join",{}]');
    client.send('["3","3","room:3","phx_join",{}]', '["4","4","rom:1","phx_join",{}]');
    assert.deepEqual(linesOf(world), [
      ["info", "JOINED", { topic: "room:1", ...ANN }],
      ["debug", "duplicate channel join: the old channel was closed", { topic: "room:1", ...ANN }],
      ["info", "JOINED", { topic: "room:1", ...ANN }],
      ["warn", "too many channels joined", { topic: "room:3", max: 1, ...ANN }],
      ["warn", "unmatched topic", { topic: "rom:1", event: "phx_join", ...ANN }],
    ]);
  });

  it("names the reason of a refusal", () => {
    const refusing = channel({
      join(_, payload) {
        if (payload === 1) throw new Error("no database");
        return error(payload === 2 ? { reason: "banned", until: "monday" } : "closed");
      },
    });
    const world = new World({ channels: { "room:*": refusing } });
    const client = world.connect({ id: "users:ann" });
    client.send('["1","1","room:1","phx_join",1]', '["2","2","room:2","phx_join",2]');
    client.send('["3","3","room:3","phx_join",3]');
    assert.deepEqual(linesOf(world), [
      ["error", "join crashed", { topic: "room:1", ...ANN, message: "no database" }],
      ["info", "REFUSED JOIN", { topic: "room:2", ...ANN, reason: "banned" }],
      ["info", "REFUSED JOIN", { topic: "room:3", ...ANN, reason: "closed" }],
    ]);
  });
});

describe("telemetry of channels", () => {
  it("reports joins, with their results", async () => {
    const world = new World({ channels: { "room:*": room } });
    const events = await published("channel_joined", () => {
      world
        .connect()
        .send('["1","1","room:1","phx_join",{"n":1}]', '["2","2","room:2","phx_join","refuse"]');
    });
    assert.deepEqual(events.map(withoutDuration), [
      { topic: "room:1", params: { n: 1 }, result: "ok" },
      { topic: "room:2", params: "refuse", result: "error" },
    ]);
  });

  it("reports handled events once each, including asynchronous ones", async () => {
    const slow = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({ handleIn: { echo: () => ok(), slow: () => slow.promise as never } }),
      },
    });
    const client = world.joined();
    const events = await published("channel_handled_in", async () => {
      client.send('["11","2","room:1","echo",{}]', '["11","3","room:1","slow",{"a":1}]');
      slow.resolve(undefined);
      await turn();
    });
    assert.deepEqual(events.map(withoutDuration), [
      { topic: "room:1", event: "echo", ref: "2", params: {} },
      { topic: "room:1", event: "slow", ref: "3", params: { a: 1 } },
    ]);
  });

  it("does not report events whose handling failed, or that have no handler", async () => {
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            boom: () => Promise.reject(new Error("boom")),
            wait: (socket) => socket.send(1),
          },
          handleInfo: () => {},
          intercept: { e: () => {} },
        }),
      },
    });
    const events = await published("channel_handled_in", async () => {
      const [one, two] = [world.joined(), world.joined()];
      one.send('["11","2","room:1","boom",{}]');
      two.send('["11","2","room:1","wait",{}]');
      world.member.broadcast("room:1", "e", {});
      two.send('["11","3","room:1","phx_leave",{}]');
      await turn();
    });
    assert.deepEqual(
      events.map(({ event }) => event),
      ["wait"],
    );
  });

  it("reports every end once, with its reason", async () => {
    const world = new World({ channels: { "room:*": room } });
    const events = await published("channel_left", () => {
      world.joined().send('["11","2","room:1","phx_leave",{}]');
      world.joined().connection.lose();
      world.joined().send('["11","2","room:1","stop",{}]');
      const client = world.joined();
      client.send('["12","2","room:1","phx_join",{}]');
      client.connection.lose();
    });
    assert.deepEqual(
      events.map(({ reason }) => reason),
      [
        { shutdown: "left" },
        { shutdown: "closed" },
        "other",
        { shutdown: "duplicate_join" },
        { shutdown: "closed" },
      ],
    );
  });

  it("reports crashes, including those of joins", async () => {
    const world = new World({
      channels: { "room:*": room, "bad:*": channel({ join: () => undefined as never }) },
    });
    const events = await published("channel_crashed", () => {
      world.joined().send('["11","2","room:1","boom",{}]');
      world.connect().send('["1","1","bad:1","phx_join",{}]');
    });
    assert.deepEqual(
      events.map(({ topic, event }) => [topic, event]),
      [
        ["room:1", "boom"],
        ["bad:1", "phx_join"],
      ],
    );
    const thrown = events[0]?.["error"];
    assert.ok(thrown instanceof Error);
    assert.equal(thrown.message, "boom");
  });

  it("is not created if nobody listens", () => {
    const world = new World({ channels: { "room:*": room } });
    world.joined().send('["11","2","room:1","echo",{}]');
    assert.deepEqual(world.troubles(), []);
  });
});

describe("the log of channels", () => {
  it("contains accepted and refused joins, unless the channel turns that off", () => {
    const quiet = channel({ logJoin: false });
    const world = new World({ channels: { "room:*": room, "quiet:*": quiet } });
    const client = world.connect();
    client.send('["1","1","room:1","phx_join",{}]', '["2","2","room:2","phx_join","refuse"]');
    client.send('["3","3","quiet:1","phx_join",{}]');
    assert.deepEqual(
      world.log.map(({ text, fields }) => [text, fields["topic"]]),
      [
        ["JOINED", "room:1"],
        ["REFUSED JOIN", "room:2"],
      ],
    );
  });

  it("contains joins and handled messages at the levels of the channel", () => {
    const loud = channel({ logJoin: "warn", logHandleIn: "error", handleIn: { a: () => ok() } });
    const mute = channel({ logJoin: false, logHandleIn: false, handleIn: { a: () => ok() } });
    const plain = channel({ handleIn: { a: () => ok() } });
    const world = new World({
      channels: { "loud:1": loud, "mute:1": mute, "plain:1": plain, "phoenix:1": plain },
    });
    const topics = ["loud:1", "mute:1", "plain:1", "phoenix:1"];
    const client = world.joined(topics);
    for (const [at, topic] of topics.entries()) {
      client.send(JSON.stringify([`${at + 11}`, "9", topic, "a", {}]));
    }
    assert.deepEqual(
      world.log.map(({ level, text, fields }) => [level, text, fields["topic"]]),
      [
        ["warn", "JOINED", "loud:1"],
        ["info", "JOINED", "plain:1"],
        ["error", "HANDLED INCOMING", "loud:1"],
        ["debug", "HANDLED INCOMING", "plain:1"],
      ],
    );
  });

  it("contains parameters without secrets", () => {
    const world = new World({ channels: { "room:*": room } });
    const secret = { n: 1, token: "abc", deep: [{ my_password: "abc", page: "/?token=abc" }] };
    const shown = {
      n: 1,
      token: "[FILTERED]",
      deep: [{ my_password: "[FILTERED]", page: "[FILTERED]" }],
    };
    const client = world.connect();
    client.send(
      JSON.stringify(["11", "1", "room:1", "phx_join", secret]),
      JSON.stringify(["11", "2", "room:1", "echo", secret]),
      JSON.stringify(["12", "3", "room:2", "phx_join", "refuse"]),
    );
    assert.deepEqual(
      world.log.map(({ text, fields }) => [text, fields["params"]]),
      [
        ["JOINED", shown],
        ["HANDLED INCOMING", shown],
        ["REFUSED JOIN", "refuse"],
      ],
    );
  });

  it("contains a crash with topic, event and stack", () => {
    const world = new World({ channels: { "room:*": room } });
    world.joined().send('["11","2","room:1","boom",{}]');
    const { text, fields } = world.log.at(-1) ?? { text: "", fields: {} };
    assert.equal(text, "channel crashed");
    assert.equal(fields["topic"], "room:1");
    assert.equal(fields["event"], "boom");
    assert.match((fields["err"] as Error).stack ?? "", /^Error: boom\n.*channel-reports\.test/s);
  });

  it("contains the reason of a stop", () => {
    const world = new World({ channels: { "room:*": room } });
    world.joined().send('["11","2","room:1","stop",{}]');
    assert.equal(world.lastError(), 'ended with "other"');
  });
});
