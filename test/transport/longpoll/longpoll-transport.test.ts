/**
 * Long-poll on one shard: windows, answers, limits.
 *
 * Runs on: the test's thread, which is also the shard's.
 * Slow: polls run to their window.
 */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";

import * as fc from "fast-check";

import { defineChannel } from "../../../src/channel/definition.ts";
import { error, ok } from "../../../src/callbacks/results.ts";
import { LOG_LINES } from "../../../src/log/logger.ts";
import type { Options } from "../../../src/options/options.ts";
import type { MountDefinition } from "../../../src/endpoint/endpoint.ts";
import { defineSocket } from "../../../src/socket/definition.ts";
import { within } from "../../support/deadline.ts";
import { ask, LongPollClient, NDJSON } from "../../support/longpoll-client.ts";
import { exchanged, requestOf } from "../../support/raw-http.ts";
import { smallOptions } from "../../support/options.ts";
import { LongPollTokens } from "../../../src/transport/longpoll/longpoll-token.ts";
import type { LongPollPlace } from "../../../src/transport/longpoll/longpoll-token.ts";
import { atOnce, startShard } from "../../support/shard.ts";
import type { TestShard } from "../../support/shard.ts";
import { Deferred } from "../../support/world.ts";

const JOIN = ["1", "1", "room:1", "phx_join", {}];
const OK = { status: "ok", response: {} };
const LONG = 10_000;

const openShards: TestShard[] = [];
after(() => {
  for (const shard of openShards) shard.close();
});

interface Parts {
  readonly windowMs?: number;
  readonly joins?: "async" | "serial";
  readonly mount?: Partial<MountDefinition>;
  readonly join?: () => Promise<unknown>;
  readonly terminate?: (reason: unknown) => void;
}

/** Starts a shard with one socket at /socket. */
async function serving(parts: Parts = {}, options: Options = {}): Promise<TestShard> {
  const { windowMs = LONG, joins = "async" } = parts;
  const socket = defineSocket<object>({
    joins,
    connect: ({ params, connectInfo }) => {
      if (params["boom"] !== undefined) throw new Error("boom");
      return params["deny"] === undefined ? ok({ params, connectInfo }) : error({ reason: "no" });
    },
    id: () => "someone",
  });
  const room = defineChannel(socket, {
    async join() {
      await parts.join?.();
      return ok();
    },
    handleIn: {
      echo: (_, payload) => ok(payload),
      assigns: (each) => ok(each.assigns),
      binary: (_, payload) => ok(payload),
      flood: (each, bytes) => each.push("flood", { fill: "x".repeat(bytes as number) }),
    },
    terminate: (_, reason) => parts.terminate?.(reason),
  });
  const mount = { socket, channels: { "room:*": room }, longpoll: { windowMs }, ...parts.mount };
  const shard = await startShard({ sockets: { "/socket": mount } }, options);
  openShards.push(shard);
  return shard;
}

describe("a poll", () => {
  it("returns the frames that wait, in order, or waits for one", async () => {
    const { port } = await serving();
    const client = await LongPollClient.connect(port);
    assert.equal((await client.send(JOIN, ["1", "2", "room:1", "echo", { n: 1 }])).status, 200);
    const { status, messages, token } = await client.poll().answer;
    assert.deepEqual([status, token], [200, client.token]);
    assert.deepEqual(messages, [
      ["1", "1", "room:1", "phx_reply", OK],
      ["1", "2", "room:1", "phx_reply", { ...OK, response: { n: 1 } }],
    ]);
    const waiting = client.poll();
    await client.send(["1", "3", "room:1", "echo", {}]);
    const waited = await within(waiting.answer, "what came while it waited");
    assert.deepEqual(waited.messages, [["1", "3", "room:1", "phx_reply", OK]]);
  });

  it("is answered at the end of its window if nothing is sent, with the same token", async () => {
    const { port } = await serving({ windowMs: 100 });
    const client = await LongPollClient.connect(port);
    const { http, status, token, messages } = await client.poll().answer;
    assert.deepEqual([http, status, token, messages], [200, 204, client.token, []]);
  });

  it("gets nothing once a newer one waits, and lasts until the end of its window", async () => {
    const { port } = await serving({ windowMs: 1_000 });
    const client = await LongPollClient.connect(port);
    await client.join("room:1");
    const older = client.poll();
    // An answer to another request proves that the shard has the previous one.
    await ask(port, "OPTIONS", "/socket/longpoll").answer;
    const newer = client.poll();
    await ask(port, "OPTIONS", "/socket/longpoll").answer;
    await client.send(["1", "3", "room:1", "echo", {}]);
    assert.equal((await newer.answer).messages.length, 1);
    assert.equal((await within(older.answer, "the older poll's window")).status, 204);
  });

  it("that is aborted loses nothing", async () => {
    const { port } = await serving();
    const client = await LongPollClient.connect(port);
    await client.join("room:1");
    const aborted = client.poll();
    await ask(port, "OPTIONS", "/socket/longpoll").answer;
    aborted.abort();
    await client.send(["1", "3", "room:1", "echo", { n: 3 }]);
    assert.deepEqual(await client.next(), [
      "1",
      "3",
      "room:1",
      "phx_reply",
      { ...OK, response: { n: 3 } },
    ]);
  });

  it("may have one slash too many before or after the last part of its path", async () => {
    const { port } = await serving();
    for (const path of ["/socket//longpoll", "/socket/longpoll/"]) {
      const { http, status } = await ask(port, "GET", `${path}?vsn=2.0.0`).answer;
      assert.deepEqual([http, status], [200, 410], path);
    }
  });

  it("opens a new session if its own does not exist", async () => {
    const { port, counter } = await serving();
    const client = await LongPollClient.connect(port, "vsn=2.0.0&token=nonsense");
    assert.notEqual(client.token, "nonsense");
    assert.deepEqual([counter("sessions"), counter("connections")], [1, 1]);
  });
});

describe("a token", () => {
  it("is taken from the header, or else from the last parameter", async () => {
    const { port } = await serving({ windowMs: 500 });
    const [one, other] = [await LongPollClient.connect(port), await LongPollClient.connect(port)];
    const last = `/socket/longpoll?vsn=2.0.0&token=${one.token}&token=${other.token}`;
    const headers = { "x-phoenix-longpoll-token": one.token };
    const asked = [ask(port, "GET", last), ask(port, "GET", last, "", headers)];
    const [byParameter, byHeader] = await Promise.all(asked.map(({ answer }) => answer));
    assert.deepEqual([byParameter?.token, byHeader?.token], [other.token, one.token]);
  });

  it("is signed with a key that is derived as the mount says", async () => {
    const crypto = { keyDigest: "sha512" } as const;
    const { port } = await serving({ mount: { longpoll: { crypto } } });
    const { token } = await LongPollClient.connect(port);
    const { secretKeyBase } = smallOptions();
    assert.ok(new LongPollTokens(secretKeyBase, "/socket/longpoll", 60_000, crypto).tryRead(token));
    assert.equal(
      new LongPollTokens(secretKeyBase, "/socket/longpoll", 60_000).tryRead(token),
      undefined,
    );
  });

  it("leads to a session only by its node, thread, number and secret", async () => {
    const { port } = await serving();
    const client = await LongPollClient.connect(port);
    const tokens = new LongPollTokens(smallOptions().secretKeyBase, "/socket/longpoll", 60_000);
    const place = tokens.tryRead(client.token);
    assert.ok(place);
    const statusAt = async (other: Partial<LongPollPlace>): Promise<number> => {
      const token = tokens.sign({ ...place, ...other });
      return (await ask(port, "POST", `/socket/longpoll?token=${token}`, "[]", NDJSON).answer)
        .status;
    };
    for (const other of [
      { node: "another" },
      { member: place.member + 1 },
      { member: 1_000 },
      { member: -1 },
      { member: 0.5 },
      { generation: 1 },
      { number: place.number + 1 },
      { secret: "x".repeat(16) },
      { secret: "" },
    ]) {
      assert.equal(await statusAt(other), 410, JSON.stringify(other));
    }
    // It still exists, and was sent nothing.
    assert.equal((await client.send()).status, 200);
  });
});

describe("an answer", () => {
  const path = "/socket/longpoll?vsn=2.0.0";

  it("may be read by any page, and must not be cached", async () => {
    const { port } = await serving();
    const { headers } = await ask(port, "GET", path).answer;
    assert.equal(headers["access-control-allow-origin"], "*");
    assert.equal(headers["cache-control"], "no-store");
    assert.equal(headers["content-type"], "application/json; charset=utf-8");
    assert.equal(headers["access-control-allow-credentials"], undefined);
  });

  it("to a CORS preflight allows the requested headers", async () => {
    const { port } = await serving();
    const asked = { "access-control-request-headers": "x-a, content-type" };
    const { http, headers } = await ask(port, "OPTIONS", path, "", asked).answer;
    assert.equal(http, 200);
    assert.equal(headers["access-control-allow-headers"], "x-a, content-type");
    assert.equal(headers["access-control-allow-methods"], "get, post, options");
    assert.equal(headers["access-control-max-age"], "3600");
  });

  it("to a CORS preflight allows the headers of each line", async () => {
    const { port } = await serving();
    const lines = ["x-a, x-b", "", "content-type"].map(
      (names) => `Access-Control-Request-Headers: ${names}`,
    );
    const preflight = requestOf(`OPTIONS ${path}`, ["Connection: close", ...lines]);
    const got = await exchanged(port, preflight);
    assert.match(got, /\r\naccess-control-allow-headers: x-a, x-b, , content-type\r\n/);
  });

  it("is 403 in the body if the origin, the version or connect refuses", async () => {
    const { port, log } = await serving({ mount: { checkOrigin: ["https://example.com"] } });
    const origin = { origin: "https://evil.example" };
    for (const asked of [
      ask(port, "GET", path, "", origin),
      ask(port, "OPTIONS", path, "", origin),
      ask(port, "PUT", path, "", origin),
      ask(port, "GET", "/socket/longpoll?vsn=9.0.0"),
      ask(port, "GET", `${path}&deny=1`),
    ]) {
      const { http, status, token } = await asked.answer;
      assert.deepEqual([http, status, token], [200, 403, undefined]);
    }
    const refusals = log.filter(({ text }) => text === LOG_LINES.originRefused.text);
    const fields = { path: "/socket", transport: "longpoll", origin: origin.origin };
    assert.deepEqual(
      refusals.map((line) => line.fields),
      [fields, fields, fields],
    );
  });

  it("is an HTTP status if connect throws or the request is invalid", async () => {
    const { port } = await serving();
    assert.equal((await ask(port, "GET", `${path}&boom=1`).answer).http, 500);
    assert.equal((await ask(port, "GET", `${path}&${"a&".repeat(2_000)}`).answer).http, 400);
    for (const method of ["PUT", "DELETE", "HEAD"]) {
      const { http, headers } = await ask(port, method, path).answer;
      assert.deepEqual([http, headers["access-control-allow-origin"]], [400, "*"]);
    }
  });

  it("to a POST without a session is 410 and has no token", async () => {
    const { port } = await serving();
    const { http, status, token } = await ask(port, "POST", path, "[]").answer;
    assert.deepEqual([http, status, token], [200, 410, undefined]);
  });
});

describe("connect", () => {
  it("sees parameters, the auth token's header and connect info, and the transport", async () => {
    const { port } = await serving({ mount: { authToken: true, connectInfo: ["userAgent"] } });
    const headers = { "x-phoenix-authtoken": "s3cret", "user-agent": "test" };
    const opened = await ask(port, "GET", "/socket/longpoll?vsn=2.0.0&a[b]=1", "", headers).answer;
    const asked = ["1", "2", "room:1", "assigns", {}];
    const path = `/socket/longpoll?vsn=2.0.0&token=${opened.token}`;
    const body = [JOIN, asked].map((frame) => JSON.stringify(frame)).join("\n");
    await ask(port, "POST", path, body, NDJSON).answer;
    const { messages } = await ask(port, "GET", path).answer;
    const reply = messages[1] as [string, string, string, string, { response: unknown }];
    assert.deepEqual(reply[4].response, {
      params: { vsn: "2.0.0", a: { b: "1" } },
      connectInfo: { userAgent: "test", authToken: "s3cret" },
    });
  });
});

describe("a POST", () => {
  it("that is too large is answered with 400, and the session continues", async () => {
    const { port } = await serving();
    const client = await LongPollClient.connect(port);
    assert.equal((await client.post("x".repeat(8_000_001))).http, 400);
    await client.join("room:1");
  });

  it("with a line that is not base64 is answered with 500; the lines before it are handled", async () => {
    const { port } = await serving();
    const client = await LongPollClient.connect(port);
    const { http, headers } = await client.post(`${JSON.stringify(JOIN)}\n!!!`, NDJSON);
    assert.deepEqual([http, headers["access-control-allow-origin"]], [500, undefined]);
    assert.deepEqual(await client.next(), ["1", "1", "room:1", "phx_reply", OK]);
  });

  it("with an invalid message is answered at once, and ends the session", async () => {
    const { port, counter } = await serving();
    const noText = Buffer.from('["1","1","room:1","phx_join",{"\xff":1}]', "latin1");
    for (const body of ["[", "[1,2]", "{}", "", "null", noText]) {
      const client = await LongPollClient.connect(port);
      const waiting = client.poll();
      await ask(port, "OPTIONS", "/socket/longpoll").answer;
      assert.equal((await client.post(body)).status, 408, String(body));
      assert.equal((await within(waiting.answer, "the poll's end")).status, 410);
      assert.equal((await client.post("[]")).status, 410);
    }
    assert.equal(counter("sessions"), 0);
  });

  it("carries binary frames in base64", async () => {
    const { port } = await serving();
    const client = await LongPollClient.connect(port);
    await client.join("room:1");
    const frame = Buffer.from("\0\x01\x01\x06\x0812room:1unknown!", "latin1");
    assert.equal((await client.post(frame.toString("base64"), NDJSON)).status, 200);
    const reply = (await client.next()) as unknown[];
    assert.deepEqual(reply.slice(2, 4), ["room:1", "phx_error"]);
  });

  it("waits on a serial socket for a join that holds it up, until its window ends", async () => {
    const gate = new Deferred();
    const { port } = await serving({
      joins: "serial",
      windowMs: 300,
      join: () => gate.promise,
    });
    const client = await LongPollClient.connect(port);
    assert.equal((await client.send(JOIN, [null, "2", "phoenix", "heartbeat", {}])).status, 408);
    gate.resolve(undefined);
    assert.deepEqual(await client.next(), ["1", "1", "room:1", "phx_reply", OK]);
  });

  it("waits on a serial socket until it can continue", async () => {
    const gate = new Deferred();
    const { port } = await serving({ joins: "serial", join: () => gate.promise });
    const client = await LongPollClient.connect(port);
    const sent = client.send(
      JOIN,
      ["1", "2", "room:1", "echo", {}],
      [null, "3", "phoenix", "heartbeat", {}],
    );
    await ask(port, "OPTIONS", "/socket/longpoll").answer;
    gate.resolve(undefined);
    assert.equal((await sent).status, 200);
    const refs: unknown[] = [];
    while (refs.length < 3) refs.push(((await client.next()) as unknown[])[1]);
    assert.deepEqual(refs, ["1", "2", "3"]);
  });

  it("ends the session of a serial socket if more bytes of them wait than may", async () => {
    const parts = { joins: "serial", join: () => new Promise(() => {}) } as const;
    const { port, log } = await serving(parts, { maxWaitingBytes: 2_048 });
    const client = await LongPollClient.connect(port);
    const pad = { pad: "x".repeat(1_000) };
    // The first message of each is passed to the socket, where it waits for the join. The second waits with its POST.
    const heartbeat = [null, "9", "phoenix", "heartbeat", {}];
    const sent = [
      client.send(JOIN, ["1", "2", "room:1", "echo", pad]),
      client.send(heartbeat, ["1", "3", "room:1", "echo", pad]),
      client.send(heartbeat, ["1", "4", "room:1", "echo", pad]),
    ];
    const statuses = (await Promise.all(sent)).map(({ status }) => status);
    assert.equal(log.filter(({ text }) => text === LOG_LINES.waitingFull.text).length, 1);
    // Each uses a connection of its own, so the last may arrive after the end.
    assert.ok(statuses.includes(408) && statuses.every((one) => one === 408 || one === 410));
    assert.equal((await client.post("[]")).status, 410);
  });

  it("may contain anything without harm to the server (property)", async () => {
    const { port } = await serving();
    const well = await LongPollClient.connect(port);
    const part = fc.oneof(
      fc.string(),
      fc.json(),
      fc.base64String(),
      fc
        .tuple(fc.json(), fc.json(), fc.json(), fc.json(), fc.json())
        .map((five) => `[${five.join()}]`),
      fc.constantFrom('["1","1","room:1","phx_join",{}]', '["1","2","room:1","echo",null]'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part), fc.boolean(), async (parts, hasLines) => {
        const client = await LongPollClient.connect(port);
        const { http, status } = await client.post(parts.join("\n"), hasLines ? NDJSON : {});
        assert.ok([200, 408].includes(status) || http === 500, `${http} ${status}`);
      }),
      { numRuns: 60 },
    );
    await well.join("room:1");
  });
});

describe("a session", () => {
  it("ends when it is not polled, and its channels learn why", async () => {
    const reason = new Deferred();
    const { port, counter } = await serving({ windowMs: 200, terminate: reason.resolve });
    const client = await LongPollClient.connect(port);
    await client.send(JOIN);
    assert.deepEqual(await within(reason.promise, "terminate"), { shutdown: "inactive" });
    assert.equal((await client.post("[]")).status, 410);
    assert.deepEqual([counter("sessions"), counter("channels")], [0, 0]);
  });

  it("ends when too much waits for its client, which learns of it from its next poll", async () => {
    const { port, log, counter } = await serving({}, { maxBackpressureBytes: 16_384 });
    const client = await LongPollClient.connect(port);
    await client.join("room:1");
    // A single frame may have any length, or its client would never get it.
    await client.send(["1", "2", "room:1", "flood", 50_000]);
    assert.equal(((await client.next()) as unknown[])[3], "flood");
    const flood = ["1", "2", "room:1", "flood", 10_000];
    await client.send(flood, flood, flood, flood);
    assert.equal((await client.post("[]")).status, 410);
    assert.deepEqual([counter("sessions"), counter("slowCut")], [0, 1]);
    assert.equal((await client.poll().answer).status, 410);
    assert.ok(log.some(({ text }) => text.startsWith("a client reads too slowly")));
  });

  it("ends with the shard: waiting polls are answered at once, and no session is opened", async () => {
    const reason = new Deferred();
    const { port, shard } = await serving({ terminate: reason.resolve });
    const client = await LongPollClient.connect(port);
    await client.join("room:1");
    const waiting = client.poll();
    await ask(port, "OPTIONS", "/socket/longpoll").answer;
    const drained = shard.drain(atOnce(1_000));
    const { status, headers } = await within(waiting.answer, "the end of the poll");
    assert.deepEqual([status, headers["connection"]], [410, "close"]);
    const { connections, sessions, channels, closed } = await drained;
    assert.deepEqual([connections, sessions, channels, closed], [1, 1, 1, 1]);
    assert.deepEqual(await reason.promise, { shutdown: "draining" });
    const late = await ask(port, "GET", "/socket/longpoll?vsn=2.0.0").answer;
    assert.equal(late.http, 503);
    assert.equal(late.headers["retry-after"], "5");
  });

  it("is not opened if all shards drain, even before this one is told", async () => {
    const { port, life } = await serving();
    const client = await LongPollClient.connect(port);
    life.drain();
    assert.equal((await ask(port, "GET", "/socket/longpoll?vsn=2.0.0").answer).http, 503);
    await client.join("room:1");
  });

  it("continues until its batch is due, on a connection that stays open only if all shards drain", async () => {
    for (const isOfNode of [false, true]) {
      const { port, shard } = await serving();
      const [first, second] = [
        await LongPollClient.connect(port),
        await LongPollClient.connect(port),
      ];
      await second.join("room:1");
      const told = first.poll();
      await ask(port, "OPTIONS", "/socket/longpoll").answer;
      const pace = { rounds: 2, intervalMs: 60_000, spreadMs: 0, deadlineMs: 0, isOfNode };
      const drained = shard.drain(pace);
      const { status, headers } = await within(told.answer, "the end of the first session");
      assert.deepEqual([status, headers["connection"]], [410, "close"]);
      const posted = await second.send(["1", "2", "room:1", "echo", {}]);
      assert.equal(posted.status, 200);
      assert.equal(posted.headers["connection"] === "close", !isOfNode);
      assert.deepEqual(await second.next(), ["1", "2", "room:1", "phx_reply", OK]);
      shard.cut();
      assert.equal((await within(drained, "the end of the drain")).closed, 2);
    }
  });

  it("is listed among the shard's sockets", async () => {
    const { port, shard } = await serving();
    await LongPollClient.connect(port);
    const sockets = await shard.answer({ about: "sockets", limit: 10 });
    assert.deepEqual(sockets, [
      { connection: 0, id: "someone", shard: 0, transport: "longpoll", path: "/socket" },
    ]);
  });
});
