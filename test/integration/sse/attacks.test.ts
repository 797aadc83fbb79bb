/**
 * Server-sent events, and clients that mean harm or have bugs: each gets a clear answer, and costs nobody else anything.
 *
 * Runs on: the main thread of the tests; the server's shards are threads of the same process.
 * Slow: sessions end in time, and a client does not read.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";

import { untilSo } from "../../support/deadline.ts";
import { startServer, type Server } from "../../support/server.ts";
import { askHttp, SseClient, SseReader } from "../../support/sse-client.ts";

const PATH = "/socket/sse?vsn=2.0.0";
const GONE = { id: "", event: "close", data: '{"code":3410,"reason":"session_gone"}' };

/** A push to a joined topic. */
function echo(n: number): unknown[] {
  return ["1", String(n), "slow:1", "echo", { n }];
}

describe("Server-sent events", () => {
  let server: Server;
  before(async () => {
    server = await startServer("streams", { shards: 2, maxBackpressureBytes: 65_536 });
  });
  after(() => server.close());

  async function isThere(id: string): Promise<boolean> {
    return (await server.sockets({ limit: 10_000 })).some((socket) => socket.id === id);
  }

  it("do not resume with ids that are forged or nonsense", async () => {
    const client = await SseClient.connect(server.port);
    await client.join("room:1");
    const { session } = client;
    const other = await SseClient.connect(server.port, "vsn=2.0.0", "/brief");
    const ids = [
      `${session.slice(0, -4)}AAAA:1`,
      `${other.session}:0`,
      `${session}:99999`,
      `${session}:-1`,
      `${session}:1e0`,
      session,
      ":::",
      "x".repeat(4_096),
    ];
    for (const id of ids) {
      const stream = await SseReader.open(server.port, PATH, { "last-event-id": id });
      assert.deepEqual(await stream.end(), [GONE], id);
    }
    // None of them has ended the session or its stream.
    await client.push("room:1", "echo", {});
    assert.equal((await client.message())[3], "phx_reply");
    client.cut();
    other.cut();
  });

  it("tell a page with a forged id that something may be missing", async () => {
    const path = "/socket/sse?topic=room:forged&topic=long:forged";
    const ids = ["x", "x:1:AAAAAAAA:,", "x:1:AAAAAAAA:%zz/1,%zz/1", `x:1::${"a/1,".repeat(500)}`];
    for (const id of ids) {
      const stream = await SseReader.open(server.port, path, { "last-event-id": id });
      for (let count = 0; count < 2; count += 1) {
        const { recovered, payload } = (await stream.json()) as {
          recovered: boolean;
          payload: { status: string };
        };
        assert.equal(payload.status, "ok");
        if (count === 0) assert.equal(recovered, false);
      }
      stream.cut();
    }
  });

  it("refuse POSTs of others, and bodies that are no frames", async () => {
    const client = await SseClient.connect(server.port, "", "/raw");
    const cases: readonly [body: string | Uint8Array, status: number][] = [
      ["good\n=nonsense!", 400],
      ['good\n"\\ud800"', 400],
      ['"good', 400],
      [Uint8Array.of(0xff), 400],
      ["x\n".repeat(1_001), 413],
      ["x".repeat(300_000), 413],
      ["", 204],
    ];
    for (const [body, status] of cases) {
      assert.equal((await client.post(body)).status, status, String(body).slice(0, 20));
    }
    for (const session of ["", "x", `${client.session}x`]) {
      const answer = await client.post("good", { "x-simurgh-session": session });
      assert.equal(answer.status, 410);
    }
    assert.equal((await client.post("good", { "x-simurgh-post": "one" })).status, 400);
    const topics = await SseReader.open(server.port, "/socket/sse?topic=room:topics");
    const [token = ""] = (await topics.next())?.id.split(":") ?? [];
    const pushed = await askHttp(server.port, "POST", PATH, { "x-simurgh-session": token }, "[]");
    const rule = "session must carry frames, got a stream of topics";
    assert.deepEqual([pushed.status, pushed.body], [409, rule]);
    topics.cut();
    // No frame of a refused body was handed over.
    await client.post("last");
    assert.equal(await client.next(), "last");
    client.cut();
  });

  it("handle a POST once that is repeated", async () => {
    const client = await SseClient.connect(server.port, "", "/raw");
    for (const numbers of [
      ["1", "1", "1"],
      ["2", "2"],
      // Late: it had been repeated.
      ["1"],
    ]) {
      const answers = numbers.map((number) =>
        client.post(`n${number}`, { "x-simurgh-post": number }),
      );
      for (const { status } of await Promise.all(answers)) assert.equal(status, 204);
    }
    await client.post("last");
    assert.deepEqual(
      [await client.next(), await client.next(), await client.next()],
      ["n1", "n2", "last"],
    );
    client.cut();
  });

  it("hand over the frames of POSTs that wait for a busy socket, in time", async () => {
    const client = await SseClient.connect(server.port, "vsn=2.0.0", "/serial");
    const join = ["1", "1", "slow:1", "phx_join", { ms: 300 }];
    // The others wait for the join.
    await client.send(join, echo(2), echo(3));
    for (const ref of ["1", "2", "3"]) assert.equal((await client.message())[1], ref);

    const late = ["2", "4", "slow:2", "phx_join", { ms: 10_000 }];
    const { status } = await client.post(`${JSON.stringify(late)}\n${JSON.stringify(echo(5))}`);
    assert.equal(status, 408);
    client.cut();
  });

  it("check the origin of each request, and let allowed pages of other origins read the answers", async () => {
    const path = "/strict/events?vsn=2.0.0";
    const good = { origin: "https://example.com" };
    const bad = { origin: "https://evil.example" };
    const stream = await SseReader.open(server.port, path, good);
    assert.equal(stream.response.headers["access-control-allow-origin"], "*");
    const { session } = (await stream.json()) as { session: string };
    const requests: readonly [method: string, headers: Record<string, string>, status: number][] = [
      ["GET", { "last-event-id": `${session}:0` }, 200],
      ["GET", {}, 200],
      ["POST", { "x-simurgh-session": session }, 204],
      ["OPTIONS", { "access-control-request-headers": "x-simurgh-session, last-event-id" }, 204],
      ["DELETE", { "x-simurgh-session": session }, 204],
    ];
    for (const [method, headers, status] of requests) {
      const refused = await askHttp(server.port, method, path, { ...headers, ...bad });
      assert.equal(refused.status, 403, method);
      assert.equal(refused.headers["access-control-allow-origin"], undefined, method);
      if (method === "GET") continue;
      const allowed = await askHttp(server.port, method, path, { ...headers, ...good });
      assert.equal(allowed.status, status, method);
      assert.equal(allowed.headers["access-control-allow-origin"], "*", method);
      if (method === "OPTIONS") {
        assert.equal(
          allowed.headers["access-control-allow-headers"],
          "x-simurgh-session, last-event-id",
        );
      }
    }
    assert.deepEqual(await stream.end(), []);
  });

  it("are not what a page of another site can load as an image or a frame, without an origin", async () => {
    const client = await SseClient.connect(server.port);
    for (const [mode, site, status] of [
      ["no-cors", "cross-site", 403],
      ["navigate", "cross-site", 403],
      ["no-cors", "same-site", 403],
      ["cors", "same-origin", 200],
      ["navigate", "none", 200],
    ] as const) {
      const headers = { "sec-fetch-mode": mode, "sec-fetch-site": site };
      const id = { ...headers, "last-event-id": `${client.session}:99` };
      // A client with an id that is too new is told so by a stream that ends.
      assert.equal((await askHttp(server.port, "GET", PATH, id)).status, status, `${mode} ${site}`);
      if (status === 200) continue;
      const topics = "/socket/sse?topic=room:1&user=image";
      assert.equal((await askHttp(server.port, "GET", topics, headers)).status, status);
      assert.equal((await askHttp(server.port, "GET", PATH, headers)).status, status);
    }
    assert.equal(await isThere("users:image"), false);
    client.cut();
  });

  it("answer refused and failed connects with a status, and HEAD without a session", async () => {
    for (const [query, status] of [
      ["refuse=1", 403],
      ["throw=1", 500],
      ["vsn=9.0.0", 403],
      ["topic=room:1&refuse=1", 403],
    ] as const) {
      assert.equal((await askHttp(server.port, "GET", `/socket/sse?${query}`)).status, status);
    }
    const { status } = await askHttp(server.port, "HEAD", `${PATH}&user=head`);
    assert.equal(status, 200);
    assert.equal(await isThere("users:head"), false);
  });

  it("let a browser try again after a connect that threw, which it would not after a 500", async () => {
    const { status, body } = await askHttp(server.port, "GET", "/socket/sse?topic=room:1&throw=1");
    assert.equal(status, 200);
    assert.match(body, /^:\s+\nretry: 5000\n\n$/);
  });

  it("leave a stream as it is if a HEAD has its id, whichever shard that reaches", async () => {
    const client = await SseClient.connect(server.port);
    await client.join("room:head");
    const headers = { "last-event-id": `${client.session}:${client.lastId}` };
    for (let count = 0; count < 6; count += 1) {
      assert.equal((await askHttp(server.port, "HEAD", PATH, headers)).status, 200);
    }
    const ref = await client.push("room:head", "echo", { n: 1 });
    assert.equal((await client.message())[1], ref);
    await client.leave();
  });

  it("end the session of a client that never reads, on the shard of its stream and on others", async () => {
    for (let count = 0; count < 2; count += 1) {
      const id = `users:deaf${count}`;
      const client = await SseClient.connect(server.port, `vsn=2.0.0&user=deaf${count}`);
      await client.join("room:deaf");
      if (count > 0) {
        client.cut();
        // One request more, so that the next one reaches the other shard.
        await client.post("");
        await client.resume();
      }
      client.stream.pause();
      for (let sent = 0; sent < 40; sent += 1) {
        const { status } = await client.post(
          JSON.stringify(["room:deaf", "9", "room:deaf", "many", { count: 100, size: 10_000 }]),
        );
        if (status === 410) break;
        assert.equal(status, 204);
      }
      await untilSo(async () => !(await isThere(id)), "the end of the session");
      client.cut();
    }
    assert.equal(server.stats().total.slowCut, 2);
    const client = await SseClient.connect(server.port);
    await client.join("room:fine");
    client.cut();
  });

  it("forget clients that go away at any moment", async () => {
    const heads = [
      `GET ${PATH}&user=gone HTTP/1.1\r\nHost: x\r\n`,
      `GET ${PATH}&user=gone HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET /brief/sse?topic=long:gone&user=gone HTTP/1.1\r\nHost: x\r\n\r\n`,
      `POST ${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12`,
      `DELETE ${PATH} HTTP/1.1\r\nHost: x\r\n\r\n`,
    ];
    const client = await SseClient.connect(server.port, "vsn=2.0.0&user=gone", "/brief");
    client.cut();
    const id = `${client.session}:0`;
    heads.push(`GET /brief/sse?vsn=2.0.0 HTTP/1.1\r\nHost: x\r\nLast-Event-ID: ${id}\r\n\r\n`);
    for (let round = 0; round < 20; round += 1) {
      for (const head of heads) {
        const socket = connect(server.port, "127.0.0.1");
        socket.on("error", () => {});
        await once(socket, "connect");
        socket.write(head.replace(PATH, "/brief/sse?vsn=2.0.0"));
        if (round % 3 === 1) await new Promise(setImmediate);
        // The others are not answered.
        if (round % 3 === 2 && head.endsWith("\r\n\r\n")) await once(socket, "data");
        socket.destroy();
      }
    }
    await untilSo(async () => !(await isThere("users:gone")), "the end of all sessions");
  });
});

describe("Server-sent events, if connect does not settle in time", () => {
  let server: Server;
  before(async () => {
    server = await startServer("streams", { shards: 2, handlerTimeoutMs: 250 });
  });
  after(() => server.close());

  it("let a browser try again", async () => {
    const answers = await Promise.all(
      ["topic=room:1&hang=1", "hang=1"].map((query) =>
        askHttp(server.port, "GET", `/socket/sse?${query}`),
      ),
    );
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 500],
    );
    assert.match(answers[0]?.body ?? "", /^:\s+\nretry: 5000\n\n$/);
  });
});

describe("Server-sent events, if the connections of an address are limited", () => {
  let server: Server;
  before(async () => {
    server = await startServer("streams", { shards: 2, maxConnectionsPerAddress: 3 });
  });
  after(() => server.close());

  it("refuse further streams until others have ended, and let a browser try again", async () => {
    const clients = await Promise.all(
      Array.from({ length: 3 }, () => SseClient.connect(server.port)),
    );
    for (let count = 0; count < 4; count += 1) {
      const refused = await askHttp(server.port, "GET", PATH);
      assert.deepEqual([refused.status, refused.headers["retry-after"]], [429, "5"]);
      const later = await askHttp(server.port, "GET", "/socket/sse?topic=room:1");
      assert.equal(later.status, 200);
      assert.match(later.body, /^:\s+\nretry: 5000\n\n$/);
    }
    // They can go on meanwhile.
    for (const client of clients) await client.resume();
    assert.equal(await clients[0]?.leave(), 204);
    // A HEAD and a client that is refused keep no place.
    await askHttp(server.port, "HEAD", PATH);
    await askHttp(server.port, "GET", `${PATH}&refuse=1`);
    const another = await SseClient.connect(server.port);
    assert.equal((await askHttp(server.port, "GET", PATH)).status, 429);
    for (const client of [...clients, another]) client.cut();
  });
});
