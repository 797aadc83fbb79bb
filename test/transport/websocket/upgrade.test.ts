/**
 * Handshakes with the real engine: what is checked, in which order, and with which answers.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, describe, it } from "node:test";

import { error, ok } from "../../../src/callbacks/results.ts";
import { LOG_LINES } from "../../../src/log/logger.ts";
import type { LogLine } from "../../../src/log/logger.ts";
import type { EndpointCallbacks, MountDefinition } from "../../../src/endpoint/endpoint.ts";
import { defineSocket } from "../../../src/socket/definition.ts";
import type { ConnectRequest } from "../../../src/socket/connect-request.ts";
import type { RouteResponse } from "../../../src/transport/http/answer.ts";
import { within } from "../../support/deadline.ts";
import {
  PLUG_COOKIE,
  PLUG_COOKIE_NAME,
  PLUG_CSRF_TOKEN,
  PLUG_SALT,
  PLUG_SECRET,
  PLUG_SESSION,
} from "../../support/plug-session.ts";
import { startShard } from "../../support/shard.ts";
import type { TestShard } from "../../support/shard.ts";

const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};
const OFFER = "sec-websocket-protocol";
const TOKEN = `base64url.bearer.phx.${btoa("s3cret").replaceAll("=", "")}`;
const QUERY = "vsn=2.0.0";

const shards: TestShard[] = [];
after(() => {
  for (const shard of shards) shard.close();
});

interface World extends TestShard {
  /** The arguments of `connect`. */
  readonly calls: ConnectRequest[];
  readonly ask: (
    headers: Record<string, string>,
    target?: string,
    method?: string,
  ) => Promise<Answer>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** Starts a shard whose sockets do what their parameter `do` says. */
async function serving(
  mounts: Readonly<Record<string, Partial<MountDefinition>>>,
  endpoint: Partial<EndpointCallbacks> = {},
): Promise<World> {
  const calls: ConnectRequest[] = [];
  const socket = defineSocket<object>({
    connect(given) {
      calls.push(given);
      const { do: what } = given.params;
      if (what === "throw") throw new Error("boom");
      if (what === "refuse") return error();
      if (what === "later") return Promise.resolve(error({ reason: "later" }));
      return what === undefined ? ok({}) : error({ reason: what });
    },
  });
  const sockets = Object.fromEntries(
    Object.entries(mounts).map(([path, mount]) => [path, { socket, channels: {}, ...mount }]),
  );
  const shard = await startShard({ sockets, ...endpoint }, { secretKeyBase: PLUG_SECRET });
  shards.push(shard);
  const ask: World["ask"] = (headers, target = `/s/websocket?${QUERY}`, method = "GET") =>
    askAt(shard.port, target, { method, headers });
  return { ...shard, calls, ask };
}

function askAt(
  port: number,
  path: string,
  given: { readonly method: string; readonly headers: Record<string, string> },
): Promise<Answer> {
  const answered = new Promise<Answer>((resolve, reject) => {
    const made = request({ host: "127.0.0.1", port, path, agent: false, ...given });
    made.on("upgrade", ({ statusCode = 0, headers }, tcp) => {
      tcp.destroy();
      resolve({ status: statusCode, headers, body: "" });
    });
    made.on("response", (response) => {
      const { statusCode = 0, headers } = response;
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        resolve({ status: statusCode, headers, body: Buffer.concat(chunks).toString() });
      });
    });
    made.on("error", reject);
    made.end();
  });
  return within(answered, `an answer to ${path}`);
}

describe("the order of a handshake", () => {
  const MISTAKES = {
    method: "another method",
    query: "a malformed query",
    origin: "a foreign origin",
    token: "a token that is no base64",
    subprotocol: "an unknown subprotocol",
    vsn: "an unknown version",
    connect: "what connect throws",
    upgrade: "no upgrade headers",
  } as const;
  type Mistake = keyof typeof MISTAKES;
  /** The mistakes in the order in which they are checked, with their answers. */
  const ORDER: readonly (readonly [Mistake, number, LogLine | undefined])[] = [
    ["method", 400, undefined],
    ["query", 400, undefined],
    ["origin", 403, "originRefused"],
    ["token", 500, "authTokenInvalid"],
    ["subprotocol", 403, "subprotocolRefused"],
    ["vsn", 403, "versionInvalid"],
    ["connect", 500, "connectFailed"],
    ["upgrade", 400, "connected"],
  ];

  /** Sends a request with all of these mistakes. */
  function askWith({ ask }: World, mistakes: readonly Mistake[]): Promise<Answer> {
    const has = (mistake: Mistake): boolean => mistakes.includes(mistake);
    const offer = [
      has("subprotocol") ? "unknown" : "phoenix",
      has("token") ? "base64url.bearer.phx.!" : TOKEN,
    ];
    const query = [
      has("vsn") ? "vsn=9.0.0" : QUERY,
      has("connect") ? "do=throw" : "",
      has("query") ? "a=%ff" : "",
    ];
    const headers = {
      ...(has("upgrade") ? {} : UPGRADE),
      origin: has("origin") ? "https://evil.com" : "https://example.com",
      [OFFER]: offer.join(", "),
    };
    const method = has("method") ? "POST" : "GET";
    return ask(headers, `/s/websocket?${query.join("&")}`, method);
  }

  it("has each check in its place, whatever else is wrong", async () => {
    const world = await serving({ "/s": { authToken: true } }, { urlHost: "example.com" });
    for (const [at, [mistake, status, line]] of ORDER.entries()) {
      world.calls.length = 0;
      const logged = world.log.length;
      const mistakes = ORDER.slice(at).map(([each]) => each);
      const answer = await askWith(world, mistakes);
      assert.equal(answer.status, status, MISTAKES[mistake]);
      assert.deepEqual(
        world.log.slice(logged).map(({ text }) => text),
        line === undefined ? [] : [LOG_LINES[line].text],
      );
      const isConnectCalled = mistake === "connect" || mistake === "upgrade";
      assert.equal(world.calls.length, isConnectCalled ? 1 : 0, MISTAKES[mistake]);
    }
    assert.equal((await askWith(world, [])).status, 101);
  });

  it("gives the same answer to each mistake alone", async () => {
    const world = await serving({ "/s": { authToken: true } }, { urlHost: "example.com" });
    for (const [mistake, status] of ORDER) {
      assert.equal((await askWith(world, [mistake])).status, status, MISTAKES[mistake]);
    }
  });
});

describe("an origin", () => {
  it("is checked against localhost by default", async () => {
    const { ask, log } = await serving({ "/s": {} });
    assert.equal((await ask(UPGRADE)).status, 101);
    assert.equal((await ask({ ...UPGRADE, origin: "http://localhost:8080" })).status, 101);
    for (const origin of ["http://127.0.0.1:4000", "https://evil.com", "null", ""]) {
      assert.deepEqual(await bare(ask({ ...UPGRADE, origin })), [403, ""]);
      const { text, fields } = log.at(-1) ?? assert.fail("nothing was logged");
      assert.equal(text, LOG_LINES.originRefused.text);
      assert.deepEqual(fields, { path: "/s", transport: "websocket", origin });
    }
  });

  it("is checked by the option of each mount, even if mounts share a socket", async () => {
    const { ask } = await serving(
      {
        "/any": { checkOrigin: false },
        "/list": { checkOrigin: ["//*.example.com"] },
        "/other": { checkOrigin: ["//other.com"] },
        "/conn": { checkOrigin: "conn" },
        "/inner": { checkOrigin: false, websocket: { checkOrigin: ["//inner.com"] } },
        "/endpoint": {},
      },
      { checkOrigin: ["https://endpoint.com"] },
    );
    const allowing = async (origin: string): Promise<string[]> => {
      const paths = ["/any", "/list", "/other", "/conn", "/inner", "/endpoint"];
      const answers = paths.map(async (path) => {
        const headers = { ...UPGRADE, host: "conn.com:4000", origin };
        return (await ask(headers, `${path}/websocket?${QUERY}`)).status === 101 ? path : "";
      });
      return (await Promise.all(answers)).filter((path) => path !== "");
    };
    assert.deepEqual(await allowing("http://a.example.com"), ["/any", "/list"]);
    assert.deepEqual(await allowing("http://other.com"), ["/any", "/other"]);
    assert.deepEqual(await allowing("http://conn.com:4000"), ["/any", "/conn"]);
    assert.deepEqual(await allowing("http://inner.com"), ["/any", "/inner"]);
    assert.deepEqual(await allowing("https://endpoint.com"), ["/any", "/endpoint"]);
  });

  it("is answered with 500 if the function throws", async () => {
    const { ask, log, calls } = await serving({ "/s": { checkOrigin: broken } });
    assert.equal((await ask({ ...UPGRADE, origin: "http://x" })).status, 500);
    assert.equal(log.at(-1)?.text, LOG_LINES.originCheckFailed.text);
    assert.equal(calls.length, 0);
  });
});

describe("a subprotocol of a connection", () => {
  it("is the server's first choice, and is returned", async () => {
    const { ask } = await serving({ "/s": { subprotocols: ["v12.stomp", "chat"] } });
    const asked = async (offer?: string): Promise<unknown[]> => {
      const answer = await ask(offer === undefined ? UPGRADE : { ...UPGRADE, [OFFER]: offer });
      return [answer.status, answer.headers[OFFER]];
    };
    assert.deepEqual(await asked("chat"), [101, "chat"]);
    assert.deepEqual(await asked("nope, chat, v12.stomp"), [101, "v12.stomp"]);
    assert.deepEqual(await asked(), [101, undefined]);
    assert.deepEqual(await asked("nope"), [403, undefined]);
    assert.deepEqual(await asked(TOKEN), [403, undefined]);
  });

  it("is ignored if the mount has none", async () => {
    const { ask } = await serving({ "/s": {} });
    const answer = await ask({ ...UPGRADE, [OFFER]: "chat" });
    assert.deepEqual([answer.status, answer.headers[OFFER]], [101, undefined]);
  });
});

describe("an auth token of a connection", () => {
  it("is passed to connect, and to nothing else", async () => {
    const { ask, calls } = await serving({
      "/s": { authToken: true, connectInfo: ["secWebsocketHeaders"], subprotocols: ["chat"] },
    });
    const asked = async (offer: string): Promise<unknown[]> => {
      const answer = await ask({ ...UPGRADE, [OFFER]: offer });
      return [answer.status, answer.headers[OFFER], calls.pop()?.connectInfo.authToken];
    };
    assert.deepEqual(await asked(`phoenix, ${TOKEN}`), [101, "phoenix", "s3cret"]);
    assert.deepEqual(await asked(`chat, ${TOKEN}`), [101, "chat", "s3cret"]);
    assert.deepEqual(await asked(TOKEN), [101, undefined, "s3cret"]);
    assert.deepEqual(await asked("phoenix"), [101, "phoenix", null]);
    assert.deepEqual(await asked(`phoenix, ${TOKEN}, ${TOKEN}x`), [101, "phoenix", null]);
    assert.deepEqual(await asked("mqtt"), [403, undefined, undefined]);
    assert.deepEqual(await asked(`mqtt, ${TOKEN}`), [403, undefined, undefined]);
    await ask({ ...UPGRADE, [OFFER]: `phoenix, ${TOKEN}` });
    const { secWebsocketHeaders = [] } = calls[0]?.connectInfo ?? {};
    const names = secWebsocketHeaders.map(([name]) => name).toSorted();
    assert.deepEqual(names, ["sec-websocket-key", OFFER, "sec-websocket-version"]);
    assert.ok(!JSON.stringify(secWebsocketHeaders).includes(TOKEN));
  });
});

describe("connect info of a connection", () => {
  it("is what each mount requests", async () => {
    const { ask, calls } = await serving({
      "/s": {},
      "/t": { connectInfo: ["userAgent"], websocket: { connectInfo: ["peerData", { own: 1 }] } },
    });
    const headers = { ...UPGRADE, "user-agent": "test", "x-a": "1", cookie: "a=b" };
    await ask(headers);
    await ask(headers, `/t/websocket?${QUERY}`);
    assert.deepEqual(
      calls.map(({ connectInfo }) => connectInfo),
      [{}, { peerData: { address: "127.0.0.1" }, own: 1 }],
    );
  });

  it("contains the session of the server's application, for its own pages only", async () => {
    const session = { key: PLUG_COOKIE_NAME, signingSalt: PLUG_SALT };
    const { ask, calls } = await serving({ "/s": { connectInfo: [{ session }] } });
    const headers = { ...UPGRADE, cookie: `a=1; ${PLUG_COOKIE_NAME}=${PLUG_COOKIE}` };
    await ask(headers, `/s/websocket?${QUERY}&_csrf_token=${PLUG_CSRF_TOKEN}`);
    await ask(headers);
    assert.deepEqual(
      calls.map(({ connectInfo }) => connectInfo.session),
      [PLUG_SESSION, null],
    );
  });
});

describe("an error handler", () => {
  it("answers a refusal with a reason, at once or later", async () => {
    const { ask } = await serving({ "/s": { errorHandler } });
    const asked = (what: string): Promise<Answer> =>
      ask(UPGRADE, `/s/websocket?${QUERY}&do=${what}`);
    const limited = await asked("limit");
    assert.deepEqual([limited.status, limited.body], [429, "limit"]);
    assert.equal(limited.headers["retry-after"], "5");
    assert.deepEqual(await bare(asked("because")), [403, "because"]);
    assert.deepEqual(await bare(asked("later")), [403, "later"]);
  });

  it("is not called without a reason, or if connect threw", async () => {
    const { ask } = await serving({ "/s": { errorHandler } });
    const asked = (query: string): Promise<unknown> => bare(ask(UPGRADE, `/s/websocket?${query}`));
    assert.deepEqual(await asked(`${QUERY}&do=refuse`), [403, ""]);
    assert.deepEqual(await asked("vsn=9.0.0"), [403, ""]);
    assert.deepEqual(await asked(`${QUERY}&do=throw`), [500, ""]);
  });

  it("causes a 500 if it throws or returns an invalid answer", async () => {
    const { ask, log } = await serving({ "/s": { errorHandler } });
    for (const what of ["boom", "odd"]) {
      assert.deepEqual(await bare(ask(UPGRADE, `/s/websocket?${QUERY}&do=${what}`)), [500, ""]);
      assert.equal(log.at(-1)?.text, LOG_LINES.errorHandlerFailed.text);
    }
  });
});

describe("a path of a connection", () => {
  it("is the mount's and the transport's, whose variables take precedence over the query", async () => {
    const { ask, calls } = await serving({
      "/org/:org": { websocket: { path: "/:room/:_hidden/ws" } },
      "/": {},
    });
    const target = `/org/a%20b/lobby/secret/ws?${QUERY}&room=query&org[x]=1&_hidden=shown&n[]=1`;
    assert.equal((await ask(UPGRADE, target)).status, 101);
    assert.deepEqual(JSON.parse(JSON.stringify(calls[0]?.params)), {
      vsn: "2.0.0",
      org: "a b",
      room: "lobby",
      _hidden: "shown",
      n: ["1"],
    });
    assert.equal((await ask(UPGRADE, `/websocket?${QUERY}`)).status, 101);
    assert.equal((await ask(UPGRADE, `/org/a/websocket?${QUERY}`)).status, 404);
  });
});

function broken(): never {
  throw new Error("boom");
}

function errorHandler(reason: unknown): RouteResponse {
  const { reason: what } = reason as { reason: string };
  if (what === "boom") throw new Error("boom");
  const status = { limit: 429, odd: 7 }[what] ?? 403;
  return { status, headers: { "retry-after": "5" }, body: what };
}

async function bare(asked: Promise<Answer>): Promise<unknown[]> {
  const { status, body } = await asked;
  return [status, body];
}
