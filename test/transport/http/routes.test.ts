import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, describe, it } from "node:test";

import type { ShardContext } from "../../../src/channel/context.ts";
import type { Options } from "../../../src/options/options.ts";
import type { Route, RouteRequest } from "../../../src/transport/http/routes.ts";
import { within } from "../../support/deadline.ts";
import { startShard } from "../../support/shard.ts";
import type { TestShard } from "../../support/shard.ts";
import { Deferred } from "../../support/world.ts";

const openShards: TestShard[] = [];
after(() => {
  for (const shard of openShards) shard.close();
});

async function serving(
  routes: Readonly<Record<string, Route<ShardContext>>>,
  options: Options = {},
): Promise<TestShard> {
  const numbers = { shard: 0, data: { name: "data" } };
  const shard = await startShard({ sockets: {}, routes }, options, numbers);
  openShards.push(shard);
  return shard;
}

interface Asked {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

async function asked(port: number, path: string, init: RequestInit = {}): Promise<Asked> {
  const answering = fetch(`http://127.0.0.1:${port}${path}`, init);
  const answer = await within(answering, `an answer to ${path}`);
  return {
    status: answer.status,
    type: answer.headers.get("content-type"),
    text: await answer.text(),
  };
}

describe("a route", () => {
  it("answers with a status, headers, and text, bytes or JSON", async () => {
    const { port } = await serving({
      "GET /text": () => ({ status: 200, body: "ok" }),
      "GET /bytes": () => ({ status: 200, body: new Uint8Array([104, 105]) }),
      "GET /json": () => ({ status: 201, body: { n: [1] } }),
      "GET /null": () => ({ status: 200, body: null }),
      "GET /none": () => ({ status: 204 }),
      "GET /typed": () => ({
        status: 200,
        headers: { "Content-Type": "text/css", "x-a": "b" },
        body: { n: 1 },
      }),
      "GET /later": async () => ({ status: 418, body: "later" }),
    });
    const json = "application/json; charset=utf-8";
    assert.deepEqual(await asked(port, "/text"), { status: 200, type: null, text: "ok" });
    assert.deepEqual(await asked(port, "/bytes"), { status: 200, type: null, text: "hi" });
    assert.deepEqual(await asked(port, "/json"), { status: 201, type: json, text: '{"n":[1]}' });
    assert.deepEqual(await asked(port, "/null"), { status: 200, type: json, text: "null" });
    assert.deepEqual(await asked(port, "/none"), { status: 204, type: null, text: "" });
    assert.deepEqual(await asked(port, "/typed"), {
      status: 200,
      type: "text/css",
      text: '{"n":1}',
    });
    assert.deepEqual(await asked(port, "/later"), { status: 418, type: null, text: "later" });
  });

  it("is found by method and path; anything else is 404", async () => {
    const { port } = await serving({
      "POST /x": () => ({ status: 200, body: "post" }),
      "DELETE /x": () => ({ status: 200, body: "delete" }),
      "patch /x": () => ({ status: 200, body: "patch" }),
    });
    assert.equal((await asked(port, "/x", { method: "POST" })).text, "post");
    assert.equal((await asked(port, "/x", { method: "DELETE" })).text, "delete");
    assert.equal((await asked(port, "/x", { method: "PATCH" })).text, "patch");
    assert.equal((await asked(port, "/x")).status, 404);
    assert.equal((await asked(port, "/y", { method: "POST" })).status, 404);
  });

  it("gets the request and the shard's context", async () => {
    const requests: [RouteRequest, ShardContext][] = [];
    const { port } = await serving({
      "GET /rooms/:id/:_hidden": (request, context) => {
        requests.push([request, context]);
        return { status: 200 };
      },
    });
    await asked(port, "/rooms/a%20b/x?a=1&b[c]=2&__proto__=3", { headers: { "X-One": "1" } });
    const [[request, context] = assert.fail("the route was not called")] = requests;
    const { method, path, params, query, peerAddress } = request;
    assert.deepEqual(
      { method, path, params, peerAddress },
      {
        method: "GET",
        path: "/rooms/a%20b/x",
        params: { id: "a b" },
        peerAddress: "127.0.0.1",
      },
    );
    // Nested parameters are for sockets; a route gets strings only.
    assert.equal(query["a"], "1");
    assert.deepEqual(Object.keys(query), ["a", "__proto__"]);
    assert.equal(Object.getPrototypeOf({}), Object.prototype);
    assert.deepEqual(
      [request.header("x-one"), request.header("X-ONE"), request.header("x")],
      ["1", "1", undefined],
    );
    assert.deepEqual(context.data, { name: "data" });
  });

  it("reads a whole body, in any number of chunks, or leaves it unread", async () => {
    const { port } = await serving(
      {
        "POST /size": async (request) => ({
          status: 200,
          body: String((await request.body()).length),
        }),
        "POST /twice": async (request) => {
          const [one, two] = [await request.body(), await request.body()];
          return { status: 200, body: Buffer.concat([one, two]) };
        },
        "POST /unread": () => ({ status: 200, body: "unread" }),
        "GET /none": async (request) => ({
          status: 200,
          body: String((await request.body()).length),
        }),
      },
      { maxBodyBytes: 1_000_000 },
    );
    const body = "x".repeat(1_000_000);
    assert.equal((await asked(port, "/size", { method: "POST", body })).text, "1000000");
    assert.equal((await asked(port, "/twice", { method: "POST", body: "ab" })).text, "abab");
    assert.equal((await asked(port, "/unread", { method: "POST", body })).text, "unread");
    assert.equal((await asked(port, "/none")).text, "0");
  });

  it("is answered with 413 if the body is too large", async () => {
    const { port, log } = await serving(
      {
        "POST /size": async (request) => ({
          status: 200,
          body: String((await request.body()).length),
        }),
      },
      { maxBodyBytes: 1_000 },
    );
    const most = "x".repeat(1_000);
    assert.equal((await asked(port, "/size", { method: "POST", body: most })).text, "1000");
    const { status } = await asked(port, "/size", { method: "POST", body: `${most}x` });
    assert.equal(status, 413);
    assert.deepEqual(log, []);
  });

  it("that throws is answered with 500, and logged", async () => {
    const { port, log } = await serving({
      "GET /throw": () => {
        throw new Error("boom");
      },
      "GET /reject": () => Promise.reject(new Error("boom")),
    });
    for (const path of ["/throw", "/reject"]) {
      assert.deepEqual(await asked(port, path), { status: 500, type: null, text: "" });
    }
    assert.deepEqual(
      log.map(({ text, fields }) => [text, fields["path"]]),
      [
        ["a route threw or did not settle in time", "/throw"],
        ["a route threw or did not settle in time", "/reject"],
      ],
    );
  });

  it("that does not settle in time is answered with 503, and logged", async () => {
    const answer = new Deferred<{ readonly status: number }>();
    const { port, log } = await serving(
      { "GET /never": () => answer.promise, "GET /next": () => ({ status: 200, body: "next" }) },
      { handlerTimeoutMs: 50 },
    );
    assert.deepEqual(await asked(port, "/never"), { status: 503, type: null, text: "" });
    answer.resolve({ status: 200 });
    assert.equal((await asked(port, "/next")).text, "next");
    assert.deepEqual(
      log.map(({ fields }) => [fields["path"], String(fields["err"])]),
      [["/never", "Error: a callback must settle within 50 (ms)"]],
    );
  });

  it("that returns an invalid answer is answered with 500, and logged", async () => {
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    const answers: Record<string, unknown> = {
      nothing: undefined,
      null: null,
      text: "ok",
      status: { status: "200" },
      none: {},
      low: { status: 99 },
      high: { status: 600 },
      loop: { status: 200, body: loop },
      bigint: { status: 200, body: 1n },
      header: { status: 200, headers: { "x-a": 7 } },
    };
    const { port, log } = await serving(
      Object.fromEntries(
        Object.entries(answers).map(([name, answer]) => [`GET /${name}`, () => answer as never]),
      ),
    );
    for (const name of Object.keys(answers)) {
      assert.deepEqual(await asked(port, `/${name}`), { status: 500, type: null, text: "" }, name);
    }
    assert.deepEqual(
      log.map(({ fields }) => fields["path"]),
      Object.keys(answers).map((name) => `/${name}`),
    );
  });

  it("cannot smuggle a header by a line break in a value", async () => {
    const { port } = await serving({
      "GET /split": () => ({ status: 200, headers: { "x-a": "1\r\nx-evil: 1" } }),
    });
    const answer = await within(fetch(`http://127.0.0.1:${port}/split`), "an answer");
    assert.equal(answer.headers.get("x-evil"), null);
    assert.equal(answer.status, 500);
  });

  it("whose client goes away is not answered, and its body rejects", async () => {
    const gone = new Deferred<string>();
    const begun = new Deferred<undefined>();
    const { port } = await serving({
      "POST /slow": async (request) => {
        begun.resolve(undefined);
        try {
          await request.body();
        } catch (error) {
          gone.resolve(String(error));
        }
        return { status: 200 };
      },
      "GET /next": () => ({ status: 200, body: "next" }),
    });
    const socket = connect(port, "127.0.0.1");
    socket.write("POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf");
    await within(begun.promise, "the route's call");
    socket.destroy();
    assert.equal(await within(gone.promise, "the rejection"), "Error: the client went away");
    assert.equal((await asked(port, "/next")).text, "next");
  });

  it("must have a method and a path as its name", async () => {
    for (const name of ["/x", "GET", "GET x", "FETCH /x", "GET  /x", "", "CONNECT /x"]) {
      await assert.rejects(serving({ [name]: () => ({ status: 200 }) }), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message: `route must be a method and a path, as in "GET /healthz", got ${JSON.stringify(name)}`,
      });
    }
  });
});
