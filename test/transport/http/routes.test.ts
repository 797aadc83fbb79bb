import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { after, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";

import type { ShardContext } from "../../../src/channel/context.ts";
import type { Options } from "../../../src/options/options.ts";
import type { Route, RouteRequest } from "../../../src/transport/http/routes.ts";
import { within } from "../../support/deadline.ts";
import { exchanged, requestOf, statusesOf } from "../../support/raw-http.ts";
import { atOnce, startShard } from "../../support/shard.ts";
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

function fine(): { readonly status: number } {
  return { status: 200 };
}

/** Checks that routes with these names are refused. */
async function refusedNames(message: string, ...names: string[]): Promise<void> {
  const routes = Object.fromEntries(names.map((name) => [name, fine]));
  await assert.rejects(serving(routes), { code: "SIM_ERR_DEFINITION_INVALID", message });
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

  it("is found whatever the number of slashes, the most specific first", async () => {
    const { port } = await serving({
      "GET /:name/x": ({ params }) => ({ status: 200, body: `name ${params["name"]}` }),
      "GET /a/x": ({ path }) => ({ status: 200, body: path }),
      "POST /": () => ({ status: 200, body: "root" }),
      "DELETE /a/x": () => ({ status: 200, body: "deleted" }),
    });
    for (const path of ["/a/x", "//a/x", "/a//x", "/a/x/", "///a///x///"]) {
      assert.equal((await asked(port, path)).text, path);
      assert.equal((await asked(port, path, { method: "DELETE" })).text, "deleted");
      assert.equal((await asked(port, path, { method: "POST" })).status, 404);
    }
    assert.equal((await asked(port, "/b%20c//x/")).text, "name b c");
    assert.equal((await asked(port, "//", { method: "POST" })).text, "root");
    assert.equal((await asked(port, "/a/x/y")).status, 404);
  });

  it("of GET also answers HEAD, with the same head and no body", async () => {
    const { port } = await serving({
      "GET /text": ({ method }) => ({ status: 200, headers: { "x-a": "b" }, body: `${method}!` }),
      "GET /later": async () => ({ status: 418, body: { n: 1 } }),
      "GET /throws": () => {
        throw new Error("boom");
      },
      "GET /own": () => ({ status: 200, body: "get" }),
      "HEAD /own": () => ({ status: 200, headers: { "Content-Length": "123" } }),
      "GET /length": () => ({ status: 200, headers: { "content-length": "99" }, body: "seven b" }),
      "GET /stream": () => ({ status: 200, stream: () => assert.fail("HEAD has no stream") }),
      "POST /post": () => ({ status: 200 }),
    });
    const next = requestOf("GET /text", ["Connection: close"]);
    const ask = async (path: string): Promise<[status: number, length: string | undefined]> => {
      const got = await exchanged(port, requestOf(`HEAD ${path}`) + next);
      const [head = "", ...rest] = got.split("\r\n\r\n");
      const [status = 0] = statusesOf(head);
      // What follows is the head of the next answer, and its body.
      assert.deepEqual(statusesOf(rest[0] ?? ""), [200], path);
      assert.deepEqual(rest.slice(1), ["GET!"], path);
      return [status, /content-length: (\d+)/i.exec(head)?.[1]];
    };
    assert.deepEqual(await ask("/text"), [200, "5"]);
    assert.deepEqual(await ask("//text/"), [200, "5"]);
    assert.deepEqual(await ask("/own"), [200, "123"]);
    assert.deepEqual(await ask("/stream"), [200, undefined]);
    assert.deepEqual(await ask("/throws"), [500, "0"]);
    assert.deepEqual(await ask("/post"), [404, "0"]);
    const later = await exchanged(port, requestOf("HEAD /later", ["Connection: close"]));
    assert.match(later, /^HTTP\/1\.1 418 [^]*content-length: 7\r\n(?:[\w-]+: .*\r\n)*\r\n$/i);
    const length = await exchanged(port, requestOf("GET /length", ["Connection: close"]));
    assert.deepEqual(
      length.match(/content-length: .*\r/gi)?.map((line) => line.toLowerCase()),
      ["content-length: 7\r"],
    );
  });

  it("sends neither a body nor a length with 204 and 304", async () => {
    const { port } = await serving({
      "GET /204": () => ({ status: 204, body: "xx" }),
      "GET /304": () => ({ status: 304, headers: { etag: "x" }, body: { n: 1 } }),
      "GET /stream": () => ({ status: 204, stream: () => assert.fail("204 has no stream") }),
      "GET /next": () => ({ status: 200, body: "next" }),
    });
    for (const [path, status] of [
      ["/204", 204],
      ["/304", 304],
      ["/stream", 204],
    ] as const) {
      const next = requestOf("GET /next", ["Connection: close"]);
      const got = await exchanged(port, requestOf(`GET ${path}`) + next);
      const [head = "", nextHead = "", ...rest] = got.split("\r\n\r\n");
      assert.deepEqual(statusesOf(head), [status]);
      assert.doesNotMatch(head, /content-length/i);
      assert.deepEqual(statusesOf(nextHead), [200]);
      assert.deepEqual(rest, ["next"]);
    }
  });

  it("closes the connection after an answer without a body, if the body of the request has no end", async () => {
    const { port } = await serving({
      "POST /204": () => ({ status: 204 }),
      "POST /304": async () => ({ status: 304 }),
      "HEAD /stream": () => ({ status: 200, stream: () => assert.fail("HEAD has no stream") }),
    });
    for (const [line, status] of [
      ["POST /204", 204],
      ["POST /304", 304],
      ["HEAD /stream", 200],
    ] as const) {
      const begun = requestOf(line, ["Transfer-Encoding: chunked"], "3\r\nabc\r\n");
      assert.deepEqual(statusesOf(await exchanged(port, begun)), [status], line);
    }
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
    const { method, path, params, query, search, peerAddress } = request;
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
    assert.equal(search, "a=1&b[c]=2&__proto__=3");
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
      coding: { status: 200, headers: { "Transfer-Encoding": "chunked" } },
      misspelt: { status: 200, header: { "x-a": "1" } },
      headers: { status: 200, headers: new Headers({ "x-a": "1" }) },
      response: new Response("text"),
      promise: { status: 200, body: Promise.resolve("text") },
      buffer: { status: 200, body: new ArrayBuffer(8) },
      map: { status: 200, body: new Map([["a", 1]]) },
      stream: { status: 200, stream: Readable.from(["text"]) },
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
    const message = String(log.find(({ fields }) => fields["path"] === "/misspelt")?.fields["err"]);
    assert.equal(
      message,
      "TypeError: route must return { status, headers?, body? } without other names, got header; did you mean headers?",
    );
  });

  it("must be a function, and have a path that requests can have", async () => {
    await assert.rejects(serving({ "GET /x": 7 as never }), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message: "route GET /x must be a function, got number",
    });
    for (const path of ["/*/x", "/x/*y", "/*x"]) {
      const form = `path of route GET ${path} must have a * only as its last part, got "${path}"`;
      await refusedNames(form, `GET ${path}`);
    }
    await refusedNames(
      'path of route GET /:a/x/:a must have variables with different names, got "/:a/x/:a"',
      "GET /:a/x/:a",
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

  it("that fails only because its client goes away is not logged", async () => {
    let begun = new Deferred<undefined>();
    let ended = new Deferred();
    const noted = async <T>(work: Promise<T>): Promise<T> => {
      begun.resolve(undefined);
      return work.finally(() => ended.resolve(undefined));
    };
    const { port, log } = await serving({
      "POST /body": async (request) => {
        await noted(request.body());
        return { status: 200 };
      },
      "POST /signal": async ({ signal }) => {
        await noted(once(signal, "abort"));
        signal.throwIfAborted();
        return { status: 200 };
      },
      "POST /own": async (request) => {
        await noted(request.body()).catch(() => {
          throw new Error("own");
        });
        return { status: 200 };
      },
    });
    for (const path of ["/body", "/signal", "/own"]) {
      begun = new Deferred();
      ended = new Deferred();
      const socket = connect(port, "127.0.0.1");
      socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf`);
      await within(begun.promise, "the route's call");
      socket.destroy();
      await within(ended.promise, "the end of the client");
    }
    assert.equal((await asked(port, "/next")).status, 404);
    assert.deepEqual(
      log.map(({ fields }) => [fields["path"], String(fields["err"])]),
      [["/own", "Error: own"]],
    );
  });

  it("is awaited by a shard that drains, until it has answered", async () => {
    const called = new Deferred<void>();
    const answer = new Deferred<void>();
    const order: string[] = [];
    const late: Route<ShardContext> = async () => {
      called.resolve();
      await answer.promise;
      order.push("answered");
      return { status: 200, body: "late" };
    };
    const { shard, port } = await serving({ "GET /late": late }, { shutdownMs: 600_000 });
    const asking = asked(port, "/late", { headers: { connection: "close" } });
    await within(called.promise, "the request");
    const drained = shard.drain(atOnce(0)).then(() => order.push("drained"));
    for (let turn = 0; turn < 100; turn += 1) await setImmediate();
    answer.resolve();
    await within(drained, "the drain");
    shard.close();
    assert.equal((await asking).text, "late");
    assert.deepEqual(order, ["answered", "drained"]);
  });

  it("is awaited no longer than shutdownMs", async () => {
    const called = new Deferred<void>();
    const never: Route<ShardContext> = async () => {
      called.resolve();
      return new Promise(() => {});
    };
    const { shard, port } = await serving({ "GET /never": never }, { shutdownMs: 1 });
    // Rejects when the shard is closed.
    fetch(`http://127.0.0.1:${port}/never`).catch(() => {});
    await within(called.promise, "the request");
    await within(shard.drain(atOnce(0)), "the drain");
  });

  it("is not awaited once its answer streams", async () => {
    const routes: Record<string, Route<ShardContext>> = {
      "GET /stream": () => ({ status: 200, stream: (out) => out.write("first") }),
    };
    const { shard, port } = await serving(routes, { shutdownMs: 600_000 });
    const response = await within(fetch(`http://127.0.0.1:${port}/stream`), "the stream");
    await within(shard.drain(atOnce(0)), "the drain");
    await response.body?.cancel();
  });

  it("must be defined once, and have a path that requests can have", async () => {
    await refusedNames("route must be defined once, got GET //x/ again", "GET /x", "GET //x/");
    await refusedNames("route must be defined once, got get /x again", "GET /x", "get /x");
    await refusedNames(
      'path of route GET /x?a=1 must be ASCII without blanks, ? and #, got "/x?a=1"',
      "GET /x?a=1",
    );
  });

  it("must have a method and a path as its name", async () => {
    for (const name of [
      "/x",
      "GET",
      "GET x",
      "FETCH /x",
      "GET  /x",
      "",
      "CONNECT /x",
      "GET /x y",
    ]) {
      await assert.rejects(serving({ [name]: () => ({ status: 200 }) }), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message: `route must be a method and a path, as in "GET /healthz", got ${JSON.stringify(name)}`,
      });
    }
  });
});
