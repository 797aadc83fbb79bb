/**
 * Histories on the wire: joins that ask for one, offsets of broadcasts, the frames in place of messages that
 * a channel does not get. Offsets are written as +n, epochs as E.
 *
 * Runs on: the main thread of the tests; the server's shards and its keeper are threads of the same process.
 * Slow: a server of two shards and a keeper.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { HistoryClient } from "../support/history-client.ts";
import { startServer, type Server } from "../support/server.ts";

const LIVE = { history: null };

describe("A channel with a history", () => {
  let server: Server;
  const clients: HistoryClient[] = [];
  let topics = 0;
  let topic = "";
  before(async () => {
    server = await startServer("histories", { shards: 2 });
  });
  after(async () => {
    await server.close();
  });

  /** Runs a test on a topic of its own. */
  function test(what: string, run: () => Promise<void>, kind = "room"): void {
    it(what, async () => {
      topics += 1;
      topic = `${kind}:${topics}`;
      try {
        await run();
      } finally {
        for (const client of clients.splice(0)) client.cut();
      }
    });
  }

  async function connect(options = {}): Promise<HistoryClient> {
    const client = await HistoryClient.connect(server.port, options);
    clients.push(client);
    return client;
  }

  /** Joins as a user. */
  async function entered(user: string, payload: object): Promise<HistoryClient> {
    const client = await connect({ user });
    await client.joined(topic, payload);
    return client;
  }

  /** Has the host keep messages with these texts. */
  async function keep(...texts: string[]): Promise<void> {
    for (const text of texts) await server.publish(topic, "said", { text });
  }

  describe("for a client that does not ask", () => {
    test("replies and broadcasts as without one", async () => {
      const client = await connect();
      assert.equal(await client.joined(topic, {}), "{}");
      await client.push(topic, "say", { text: "a" });
      assert.equal(await client.next(), `[null,null,"${topic}","said",{"text":"a"}]`);
      await client.nothingMore();
    });

    test("passes the key to an app whose channel has none", async () => {
      const client = await connect();
      const other = `plain:${topic}`;
      assert.equal(await client.joined(other, LIVE), '{"payload":{"history":null}}');
      const own = '{"payload":{"history":{"optional":"no"}}}';
      assert.equal(await client.joined(`${other}:2`, { history: { optional: "no" } }), own);
    });

    test("takes an optional key from an app whose channel has none", async () => {
      const client = await connect();
      const asked = { history: { optional: true, last: 5 }, x: 1 };
      assert.equal(await client.joined(`plain:${topic}`, asked), '{"payload":{"x":1}}');
    });
  });

  describe("in the reply to a join", () => {
    test("tells a new client where it is", async () => {
      const client = await connect();
      const history = '{"epoch":E,"offset":+0,"recovered":true,"count":0}';
      assert.equal(await client.joined(topic, LIVE), `{"history":${history}}`);
      const optional = await connect();
      const answer = await optional.joined(topic, { history: { optional: true } });
      assert.equal(answer, `{"history":${history}}`);
    });

    test("adds the history to what the app replied, which does not get the key", async () => {
      await keep("a", "b");
      const client = await connect();
      const history = '{"epoch":E,"offset":+2,"recovered":true,"count":0}';
      const reply = `{"others":{"x":1},"history":${history}}`;
      assert.equal(await client.joined(topic, { x: 1, ...LIVE }), reply);
    });

    test("lets the app refuse first", async () => {
      const client = await connect();
      await client.join(topic, { refused: true, ...LIVE });
      const refusal = '{"status":"error","response":{"reason":"refused"}}';
      assert.equal(await client.next(), `["1","1","${topic}","phx_reply",${refusal}]`);
    });

    for (const malformed of [
      1,
      "x",
      [],
      {},
      { optional: false },
      { last: -1 },
      { last: 1.5 },
      { last: "1" },
      { epoch: "a" },
      { offset: "1" },
      { epoch: 1, offset: "1" },
      { epoch: "a", offset: 1 },
      { epoch: "a", offset: "-1" },
      { epoch: "a", offset: "99999999999999999999" },
      { lastt: 1 },
    ]) {
      test(`refuses ${JSON.stringify(malformed)}`, async () => {
        const client = await connect();
        await client.join(topic, { history: malformed });
        const refusal = '{"status":"error","response":{"reason":"invalid history"}}';
        assert.equal(await client.next(), `["1","1","${topic}","phx_reply",${refusal}]`);
        // The topic is free again.
        assert.match(await client.joined(topic, LIVE), /"recovered":true/);
      });
    }

    test("writes what the app replied as it is written without a history", async () => {
      const client = await connect();
      const history = '{"epoch":E,"offset":+0,"recovered":true,"count":0}';
      const reply = await client.joined(topic, { replied: "written", ...LIVE });
      assert.equal(reply, `{"shown":1,"history":${history}}`);
    });

    for (const replied of [{ history: 1 }, [1], "text", "promise", "throwing"]) {
      test(`is a crash if the app replies ${JSON.stringify(replied)}`, async () => {
        const client = await connect();
        await client.join(topic, { replied, ...LIVE });
        const refusal = '{"status":"error","response":{"reason":"join crashed"}}';
        assert.equal(await client.next(), `["1","1","${topic}","phx_reply",${refusal}]`);
      });
    }
  });

  describe("to a client that joins with a backlog", () => {
    test("sends the last messages, then live ones", async () => {
      await keep("a", "b", "c");
      const client = await connect();
      const history = '{"epoch":E,"offset":+1,"recovered":true,"count":2}';
      assert.equal(await client.joined(topic, { history: { last: 2 } }), `{"history":${history}}`);
      await keep("d");
      assert.deepEqual(await client.take(3), [
        `[null,+2,"${topic}","said",{"text":"b"}]`,
        `[null,+3,"${topic}","said",{"text":"c"}]`,
        `[null,+4,"${topic}","said",{"text":"d"}]`,
      ]);
      await client.nothingMore();
    });

    test("sends all if there are fewer, and what is kept if there were more", async () => {
      await keep("a", "b", "c", "d", "e", "f", "g");
      const client = await connect();
      const history = '{"epoch":E,"offset":+2,"recovered":true,"count":5}';
      assert.equal(await client.joined(topic, { history: { last: 50 } }), `{"history":${history}}`);
      const frames = await client.take(5);
      assert.equal(frames[0], `[null,+3,"${topic}","said",{"text":"c"}]`);
    });
  });

  describe("to a client that comes back", () => {
    test("sends everything after its position, once", async () => {
      await keep("a", "b");
      const first = await connect();
      await first.joined(topic, LIVE);
      const { epoch } = first;
      first.cut();
      await keep("c", "d");
      const second = await connect();
      const history = '{"epoch":E,"offset":+2,"recovered":true,"count":2}';
      assert.equal(await second.rejoined(topic, epoch, 2), `{"history":${history}}`);
      assert.deepEqual(await second.take(2), [
        `[null,+3,"${topic}","said",{"text":"c"}]`,
        `[null,+4,"${topic}","said",{"text":"d"}]`,
      ]);
      await second.nothingMore();
    });

    test("says so if its messages are no longer kept, and starts at the present", async () => {
      await keep("a");
      const first = await connect();
      await first.joined(topic, LIVE);
      await keep("b", "c", "d", "e", "f", "g", "h");
      const second = await connect();
      const history = '{"epoch":E,"offset":+8,"recovered":false,"count":0}';
      assert.equal(await second.rejoined(topic, first.epoch, 1), `{"history":${history}}`);
      await second.nothingMore();
    });

    test("sends what it asks for with `last` if it cannot be recovered", async () => {
      await keep("a", "b");
      const client = await connect();
      const history = '{"epoch":E,"offset":+1,"recovered":false,"count":1}';
      const reply = await client.rejoined(topic, "other", 2, { last: 1 });
      assert.equal(reply, `{"history":${history}}`);
      assert.equal(await client.next(), `[null,+2,"${topic}","said",{"text":"b"}]`);
    });

    test("recovers nothing of a position that nobody had", async () => {
      await keep("a");
      const client = await connect();
      await client.joined(topic, LIVE);
      const other = await connect();
      const history = '{"epoch":E,"offset":+1,"recovered":false,"count":0}';
      assert.equal(await other.rejoined(topic, client.epoch, 7), `{"history":${history}}`);
    });
  });

  describe("of live broadcasts", () => {
    test("tells the offset in the ref, and leaves ephemeral and other ones as they are", async () => {
      const client = await connect();
      await client.joined(topic, LIVE);
      await client.push(topic, "say", { text: "a" });
      assert.equal(await client.next(), `[null,+1,"${topic}","said",{"text":"a"}]`);
      await client.push(topic, "type", { n: 1 });
      assert.equal(await client.next(), `[null,null,"${topic}","typing",{"n":1}]`);
      await client.push(topic, "say", { text: "c" });
      assert.equal(await client.next(), `[null,+2,"${topic}","said",{"text":"c"}]`);
    });

    test("has no offset in a broadcast that is left out of the history, and does not keep it", async () => {
      const client = await connect();
      const other = await connect();
      await client.joined(topic, LIVE);
      await other.joined(topic, LIVE);
      const once = `[null,null,"${topic}","said",{"text":"b"}]`;
      await client.push(topic, "sayOnce", { text: "b" });
      assert.deepEqual([await client.next(), await client.next()], [once, once]);
      assert.deepEqual(
        [await other.next(), await other.next(), await other.next()],
        [once, once, once],
      );
      await client.push(topic, "say", { text: "c" });
      assert.equal(await client.next(), `[null,+1,"${topic}","said",{"text":"c"}]`);
    });

    test("never keeps events of the protocol, which would end each channel that joins later", async () => {
      const client = await connect();
      await client.joined(topic, LIVE);
      for (const event of ["phx_close", "phx_error", "phx_reply"]) {
        server.broadcast(topic, event, {});
        assert.equal(await client.next(), `[null,null,"${topic}","${event}",{}]`);
      }
      const late = await connect();
      const history = '{"epoch":E,"offset":+0,"recovered":true,"count":0}';
      assert.equal(await late.joined(topic, { history: { last: 5 } }), `{"history":${history}}`);
    });

    test("tells the sender of broadcastFrom only the offset", async () => {
      const client = await connect();
      const other = await connect();
      await client.joined(topic, LIVE);
      await other.joined(topic, LIVE);
      await client.push(topic, "sayToOthers", { text: "a" });
      assert.equal(await client.next(), `[null,+1,"${topic}","history",{}]`);
      assert.equal(await other.next(), `[null,+1,"${topic}","said",{"text":"a"}]`);
      await client.nothingMore();
    });

    test("sends a later channel of the same client what it had broadcast to others", async () => {
      const client = await connect();
      await client.joined(topic, LIVE);
      await client.push(topic, "sayToOthers", { text: "a" });
      await client.next();
      const again = await connect();
      await again.rejoined(topic, client.epoch, 0);
      assert.equal(await again.next(), `[null,+1,"${topic}","said",{"text":"a"}]`);
    });

    test("tells the offset of bytes in a frame after them", async () => {
      const client = await connect();
      await client.joined(topic, LIVE);
      await client.push(topic, "sayBytes");
      const head = Buffer.from([2, topic.length, 5]);
      const bytes = Buffer.concat([head, Buffer.from(`${topic}bytes`), Buffer.of(1, 2)]);
      const expected = [`hex ${bytes.toString("hex")}`, `[null,+1,"${topic}","history",{}]`];
      assert.deepEqual(await client.take(2), expected);
      const other = await connect();
      await other.joined(topic, { history: { last: 1 } });
      assert.deepEqual(await other.take(2), expected);
    });
  });

  describe("on version 1", () => {
    test("tells offsets in the key ref", async () => {
      await keep("a");
      const client = await connect({ vsn: "1.0.0" });
      const join = { topic, event: "phx_join", payload: { history: { last: 1 } }, ref: "1" };
      await client.send(JSON.stringify(join));
      const history = '{"epoch":E,"offset":+0,"recovered":true,"count":1}';
      const payload = `{"status":"ok","response":{"history":${history}}}`;
      const reply = `{"topic":"${topic}","event":"phx_reply","payload":${payload},"ref":"1"}`;
      const kept = `{"topic":"${topic}","event":"said","payload":{"text":"a"},"ref":+1}`;
      assert.deepEqual(await client.take(2), [reply, kept]);
      await keep("b");
      const live = `{"topic":"${topic}","event":"said","payload":{"text":"b"},"ref":+2}`;
      assert.equal(await client.next(), live);
    });

    test("leaves out bytes in a replay, and says so", async () => {
      const speaker = await connect();
      await speaker.joined(topic, {});
      await keep("a");
      await speaker.push(topic, "sayBytes");
      await speaker.next();
      await speaker.next();
      await keep("b");
      const client = await connect({ vsn: "1.0.0" });
      const join = { topic, event: "phx_join", payload: { history: { last: 3 } }, ref: "1" };
      await client.send(JSON.stringify(join));
      const [reply, ...frames] = await client.take(4);
      assert.match(reply ?? "", /"offset":\+0,"recovered":false,"count":2/);
      assert.deepEqual(frames, [
        `{"topic":"${topic}","event":"said","payload":{"text":"a"},"ref":+1}`,
        `{"topic":"${topic}","event":"history","payload":{},"ref":+2}`,
        `{"topic":"${topic}","event":"said","payload":{"text":"b"},"ref":+3}`,
      ]);
    });

    test("ends a channel once for live bytes, and its rejoin is told that they are missing", async () => {
      const client = await connect({ vsn: "1.0.0" });
      const join = (history: unknown): Promise<void> =>
        client.send(JSON.stringify({ topic, event: "phx_join", payload: { history }, ref: "1" }));
      await join(null);
      await client.next();
      await server.publish(topic, "bytes", Uint8Array.of(1));
      assert.match(await client.next(), /"phx_error"/);
      await join({ epoch: client.epoch, offset: "1000000000000" });
      assert.match(await client.next(), /"offset":\+0,"recovered":false,"count":0/);
      const mark = (at: number): string =>
        `{"topic":"${topic}","event":"history","payload":{},"ref":+${at}}`;
      assert.equal(await client.next(), mark(1));
      await server.publish(topic, "bytes", Uint8Array.of(2));
      assert.equal(await client.next(), mark(2));
    });
  });

  describe("with a user's serializer", () => {
    test("passes offsets as refs, and leaves out what it cannot write", async () => {
      await keep("a", "unspeakable", "b");
      const client = await connect({ mount: "/picky" });
      await client.join(topic, { history: { last: 3 } });
      const history = '{"epoch":E,"offset":+0,"recovered":false,"count":2}';
      const payload = `{"status":"ok","response":{"history":${history}}}`;
      assert.deepEqual(await client.take(4), [
        `["picky","1","1","${topic}","phx_reply",${payload}]`,
        `["picky",null,+1,"${topic}","said",{"text":"a"}]`,
        `["picky",null,+2,"${topic}","history",{}]`,
        `["picky",null,+3,"${topic}","said",{"text":"b"}]`,
      ]);
    });
  });

  describe("that intercepts", () => {
    test(
      "tells offsets with the pushes of the handler, or instead of them",
      async () => {
        const ann = await entered("ann", LIVE);
        const ben = await entered("ben", LIVE);
        await server.publish(topic, "said", { to: "ann", text: "a" });
        assert.equal(await ann.next(), `["1",+1,"${topic}","said",{"text":"a"}]`);
        assert.equal(await ben.next(), `[null,+1,"${topic}","history",{}]`);
      },
      "filtered",
    );

    test(
      "replays through the handler, so that nobody sees what was not for them",
      async () => {
        await server.publish(topic, "said", { to: "ann", text: "a" });
        await server.publish(topic, "said", { to: "ben", text: "b" });
        await server.publish(topic, "plain", { text: "c" });
        const ann = await entered("ann", { history: { last: 3 } });
        assert.deepEqual(await ann.take(3), [
          `["1",+1,"${topic}","said",{"text":"a"}]`,
          `[null,+2,"${topic}","history",{}]`,
          `[null,+3,"${topic}","plain",{"text":"c"}]`,
        ]);
      },
      "filtered",
    );

    test(
      "keeps the order behind a message whose handler takes time, live and replayed",
      async () => {
        const live = await entered("ann", LIVE);
        await server.publish(topic, "said", { text: "a", waitMs: 30 });
        await server.publish(topic, "plain", { text: "b" });
        await server.publish(topic, "said", { text: "c", waitMs: 10 });
        await server.publish(topic, "plain", { text: "d" });
        const expected = [
          `["1",+1,"${topic}","said",{"text":"a"}]`,
          `[null,+2,"${topic}","plain",{"text":"b"}]`,
          `["1",+3,"${topic}","said",{"text":"c"}]`,
          `[null,+4,"${topic}","plain",{"text":"d"}]`,
        ];
        assert.deepEqual(await live.take(4), expected);
        const late = await entered("ann", { history: { last: 4 } });
        assert.deepEqual(await late.take(4), expected);
      },
      "filtered",
    );
  });

  describe("read and written by code", () => {
    test("is kept once for a key", async () => {
      const client = await connect();
      await client.joined(topic, {});
      const first = await server.publish(topic, "said", { text: "a" }, { idempotencyKey: "k" });
      const second = await server.publish(topic, "said", { text: "a" }, { idempotencyKey: "k" });
      const third = await server.publish(topic, "said", { text: "b" }, { idempotencyKey: "l" });
      assert.deepEqual(second, first);
      assert.equal(Number(third.offset), Number(first.offset) + 1);
      assert.deepEqual(await client.take(2), [
        `[null,null,"${topic}","said",{"text":"a"}]`,
        `[null,null,"${topic}","said",{"text":"b"}]`,
      ]);
    });

    test("is read in pages by the host and by channels", async () => {
      await keep("a", "b", "c", "d");
      const { messages, recovered, ...position } = await server.history(topic, { limit: 2 });
      assert.deepEqual(
        [recovered, messages.map(({ payload }) => payload)],
        [true, [{ text: "c" }, { text: "d" }]],
      );
      assert.equal(messages.at(-1)?.offset, position.offset);
      await keep("e");
      const next = await server.history(topic, { since: position });
      assert.deepEqual(
        next.messages.map(({ payload }) => payload),
        [{ text: "e" }],
      );
      const client = await connect();
      await client.joined(topic, {});
      const page = await client.asked(topic, "history", { last: 1 });
      const message = '{"offset":+5,"event":"said","payload":{"text":"e"}}';
      assert.equal(page, `{"epoch":E,"offset":+5,"recovered":true,"messages":[${message}]}`);
    });

    test("is cleared, and its offsets go on", async () => {
      await keep("a", "b");
      await server.clearHistory(topic);
      assert.deepEqual((await server.history(topic)).messages, []);
      const client = await connect();
      const history = '{"epoch":E,"offset":+2,"recovered":true,"count":0}';
      assert.equal(await client.joined(topic, { history: { last: 5 } }), `{"history":${history}}`);
    });

    test("tells listeners the offset", async () => {
      const heard: unknown[] = [];
      const stop = server.subscribe(topic, ({ payload, offset }) => heard.push([payload, offset]));
      const { offset } = await server.publish(topic, "said", { text: "a" });
      await server.publish(topic, "said", { text: "b" });
      stop();
      assert.deepEqual(heard[0], [{ text: "a" }, offset]);
    });

    test("is refused for topics and events that are not kept", async () => {
      const code = { code: "SIM_ERR_NO_HISTORY" };
      await assert.rejects(server.publish("plain:1", "said", {}), code);
      await assert.rejects(server.publish(topic, "typing", {}), code);
      await assert.rejects(server.publish(topic, "phx_error", {}), code);
      await assert.rejects(server.history("plain:1"), code);
      await assert.rejects(server.clearHistory("plain:1"), code);
    });

    test("is refused for a topic that is not a string", async () => {
      const code = { code: "SIM_ERR_PAYLOAD", message: /topic must be a string/ };
      const number = 1 as unknown as string;
      await assert.rejects(server.publish(number, "said", {}), code);
      await assert.rejects(server.history(number), code);
      await assert.rejects(server.clearHistory(number), code);
    });

    test("tells where it is without reading anything", async () => {
      await keep("a", "b");
      const { offset } = await server.publish(topic, "said", { text: "c" });
      const { messages, ...page } = await server.history(topic, { last: 0 });
      assert.deepEqual([messages, page.offset, page.recovered], [[], offset, true]);
    });
  });
});
