/**
 * What each engine's app must do, as `transport/engine/app-port` says. The tests of both engines run it.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, describe, it } from "node:test";

import { WebSocket } from "ws";

import type {
  EngineApp,
  EngineBehavior,
  EngineBytes,
  EngineHandler,
  EngineRequest,
  EngineResponse,
  EngineWebSocket,
} from "../../../src/transport/engine/app-port.ts";
import type { Engine } from "../../../src/transport/engine/engine-port.ts";
import { within } from "../../support/deadline.ts";
import { APP_OPTIONS, webSocketPath } from "../../support/engine.ts";
import { exchanged, requestOf, statusesOf } from "../../support/raw-http.ts";
import { Deferred } from "../../support/world.ts";

/** How an engine ends connections that break the rules of WebSocket. */
export interface Codes {
  readonly protocolError: number;
  readonly invalidText: number;
  readonly tooLarge: number;
}

const LAST = ["Connection: close"];
/** More than the buffers of a loopback connection take. */
const MANY_BYTES = 32 * 1024 * 1024;
const PATH = "/socket";

/** Describes the app of an engine. */
export function describeApp(
  engine: () => Promise<Pick<Engine, "createApp" | "listen" | "uncompressed" | "compressed">>,
  endCodes: Codes,
): void {
  const apps: EngineApp[] = [];
  const clients: (Socket | WebSocket)[] = [];
  after(() => {
    for (const client of clients) {
      if (client instanceof WebSocket) client.terminate();
      else client.destroy();
    }
    for (const app of apps) app.close();
  });

  async function listening(prepare: (app: EngineApp) => void): Promise<number> {
    const loaded = await engine();
    const app = loaded.createApp(APP_OPTIONS);
    apps.push(app);
    prepare(app);
    return loaded.listen(app, "127.0.0.1", 0);
  }

  /** Serves one route for all requests. */
  async function answering(handler: EngineHandler): Promise<number> {
    return listening((app) => app.any("/*", handler));
  }

  function connected(port: number, text = ""): Socket {
    const client = connect({ port, host: "127.0.0.1" });
    clients.push(client);
    client.on("error", () => {});
    if (text !== "") client.write(text, "latin1");
    return client;
  }

  async function behaviorOf(given: Partial<EngineBehavior>): Promise<EngineBehavior> {
    return webSocketPath(await engine(), {
      upgrade: (response, request, context) => upgrade(response, request, context),
      ...given,
    });
  }

  /** Serves WebSockets. */
  async function opening(
    given: Partial<EngineBehavior>,
    prepare: (app: EngineApp) => void = () => {},
  ): Promise<number> {
    const behavior = await behaviorOf(given);
    return listening((app) => {
      app.ws(PATH, behavior);
      prepare(app);
    });
  }

  async function opened(port: number, compresses = false): Promise<Client> {
    const socket = connected(port);
    const ws = new WebSocket(`ws://127.0.0.1:${port}${PATH}`, {
      perMessageDeflate: compresses,
      createConnection: () => socket,
    });
    clients.push(ws);
    const client = new Client(ws, socket);
    await within(once(ws, "open"), "an open WebSocket");
    return client;
  }

  describe("a route", () => {
    it("gets the requests of its method and path, the most specific one first", async () => {
      const seen: string[] = [];
      const note =
        (name: string, values = 0): EngineHandler =>
        (response, request) => {
          const params = Array.from({ length: values }, (_, at) => request.getParameter(at));
          seen.push([name, ...params].join(" "));
          response.end();
        };
      const port = await listening((app) => {
        app.any("/*", note("any"));
        app.get("/rooms/*", note("rest"));
        app.get("/rooms/:id/users/:user", note("user", 2));
        app.get("/rooms/:id", note("variable", 1));
        app.get("/rooms/lobby", note("name"));
        app.post("/rooms/lobby", note("post"));
        app.put("/rooms/lobby", note("put"));
        app.patch("/rooms/lobby", note("patch"));
        app.del("/rooms/lobby", note("delete"));
        app.options("/rooms/lobby", note("options"));
        app.head("/rooms/lobby", note("head"));
        app.any("/rooms/lobby", note("any of lobby"));
      });
      const asked: readonly (readonly [string, string])[] = [
        ["GET /rooms/lobby", "name"],
        ["GET /rooms/7", "variable 7"],
        ["GET /rooms/%37?x=1", "variable %37"],
        ["GET /rooms/7/users/8", "user 7 8"],
        ["GET /rooms/lobby/users/8", "user lobby 8"],
        ["GET /rooms/7/users", "rest"],
        ["GET /rooms/", "rest"],
        ["GET /rooms//", "rest"],
        ["GET /rooms", "any"],
        ["GET //rooms/lobby", "any"],
        ["GET /", "any"],
        ["POST /rooms/lobby", "post"],
        ["PUT /rooms/lobby", "put"],
        ["PATCH /rooms/lobby", "patch"],
        ["DELETE /rooms/lobby", "delete"],
        ["OPTIONS /rooms/lobby", "options"],
        ["HEAD /rooms/lobby", "head"],
        ["TRACE /rooms/lobby", "any of lobby"],
        ["HEAD /rooms/7", "any"],
      ];
      for (const [line, name] of asked) {
        seen.length = 0;
        await exchanged(port, requestOf(line, LAST));
        assert.deepEqual(seen, [name], line);
      }
    });

    it("gets the head as it was sent, with names in lower case", async () => {
      let seen: unknown;
      const port = await answering((response, request) => {
        seen = {
          ...headOf(request),
          header: request.getHeader("x-name"),
          missing: request.getHeader("x-missing"),
        };
        response.end();
      });
      const headers = ["X-Name: one", "x-name:  t\xc3\xa9xt ", "X-Empty:", ...LAST];
      await exchanged(port, requestOf("GET /a%20b//c/?x=%20&y", headers));
      assert.deepEqual(seen, {
        method: "GET",
        url: "/a%20b//c/",
        query: "x=%20&y",
        header: "one",
        missing: "",
        headers: [
          ["host", "localhost"],
          ["x-name", "one"],
          ["x-name", "téxt"],
          ["x-empty", ""],
          ["connection", "close"],
        ],
      });
    });

    it("sees the client's address", async () => {
      let address = "";
      const port = await answering((response) => {
        address = Buffer.from(response.getRemoteAddressAsText()).toString();
        response.end();
      });
      await exchanged(port, requestOf("GET /", LAST));
      assert.equal(address, "127.0.0.1");
    });
  });

  describe("a response", () => {
    it("has the status and headers that were written, and the length of its body", async () => {
      const port = await answering((response) => {
        response
          .writeStatus("201 Created")
          .writeHeader("X-Name", "välue")
          .writeHeader("x-two", "1");
        response.writeHeader("x-two", "2").end("tëxt");
      });
      const got = await exchanged(port, requestOf("GET /", LAST));
      const text = Buffer.from(got, "latin1").toString();
      assert.match(text, /^HTTP\/1\.1 201 Created\r\n/);
      assert.match(text, /X-Name: välue\r\nx-two: 1\r\nx-two: 2\r\n/);
      assert.match(text, /content-length: 5\r\n/i);
      assert.match(text, /\r\n\r\ntëxt$/);
    });

    it("is 200 by default, and may be empty", async () => {
      const port = await answering((response) => response.end());
      const got = await exchanged(port, requestOf("GET /", LAST));
      assert.match(got, /^HTTP\/1\.1 200 OK\r\n(?=[^]*content-length: 0\r\n)[^]*\r\n\r\n$/i);
    });

    it("without a body may say how long it would be", async () => {
      const port = await answering((response) => response.endWithoutBody(1_234));
      const got = await exchanged(port, requestOf("HEAD /", LAST));
      assert.match(got, /content-length: 1234\r\n/i);
      assert.match(got, /\r\n\r\n$/);
    });

    it("without a length has none", async () => {
      const port = await answering((response) =>
        response.writeStatus("204 No Content").endWithoutBody(),
      );
      const got = await exchanged(port, requestOf("GET /", LAST));
      assert.match(got, /^HTTP\/1\.1 204 No Content\r\n[^]*\r\n\r\n$/);
      assert.doesNotMatch(got, /content-length|transfer-encoding/i);
    });

    it("may close the connection, and says so", async () => {
      const port = await answering((response) => response.end("bye", true));
      const got = await exchanged(port, requestOf("GET /"));
      assert.match(got, /connection: close\r\n/i);
      assert.match(got, /\r\n\r\nbye$/);
    });

    it("may be given later", async () => {
      const port = await answering((response) => {
        response.onAborted(() => {});
        setTimeout(() => response.cork(() => response.writeStatus("202 Accepted").end("later")), 5);
      });
      const got = await exchanged(port, requestOf("GET /", LAST));
      assert.match(got, /^HTTP\/1\.1 202 Accepted\r\n[^]*\r\n\r\nlater$/);
    });

    it("may be written in pieces", async () => {
      const port = await answering((response) => {
        response.onAborted(() => {});
        response.write("one");
        setTimeout(() => {
          response.cork(() => {
            response.write(Buffer.from("two"));
            response.end();
          });
        }, 5);
      });
      const got = await exchanged(port, requestOf("GET /", LAST));
      assert.match(got, /transfer-encoding: chunked\r\n/i);
      assert.match(got, /\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n$/);
    });

    it("of written pieces reports a client that reads slowly, and loses nothing", async () => {
      const piece = Buffer.alloc(1024 * 1024, "x");
      const results: boolean[] = [];
      const port = await answering((response) => {
        response.onAborted(() => {});
        const more = (): boolean => {
          response.cork(() => {
            while (results.length < MANY_BYTES / piece.length) {
              results.push(response.write(piece));
              if (results.at(-1) === false) return;
            }
            response.end();
          });
          return true;
        };
        response.onWritable(more);
        more();
      });
      const client = connected(port, requestOf("GET /", LAST));
      client.pause();
      await quiet(() => results.length);
      const unread = results.length;
      assert.equal(results.at(-1), false);
      assert.ok(unread < MANY_BYTES / piece.length, `${unread} pieces were taken`);
      const bytes = bodyBytes(await wholeOf(client));
      assert.equal(results.length, MANY_BYTES / piece.length);
      assert.ok(bytes > MANY_BYTES, `${bytes} bytes`);
    });

    it("of one body sends as much as the client reads, and asks for the rest", async () => {
      const body = Buffer.alloc(MANY_BYTES);
      for (let at = 0; at < body.length; at += 4) body.writeUInt32LE(at, at);
      const offsets: number[] = [];
      let hasEnded = false;
      const port = await answering((response) => {
        response.onAborted(() => {});
        const send = (offset: number): boolean => {
          offsets.push(offset);
          response.cork(() => {
            [, hasEnded] = response.tryEnd(body.subarray(offset), body.length);
          });
          return true;
        };
        response.onWritable(send);
        send(0);
      });
      const client = connected(port, requestOf("GET /", LAST));
      client.pause();
      await quiet(() => offsets.length);
      assert.equal(hasEnded, false);
      const got = await wholeOf(client);
      assert.ok(hasEnded);
      assert.deepEqual(
        offsets,
        offsets.toSorted((a, b) => a - b),
      );
      assert.match(
        got.subarray(0, 300).toString("latin1"),
        new RegExp(`content-length: ${MANY_BYTES}\r`, "i"),
      );
      assert.ok(got.subarray(got.indexOf("\r\n\r\n") + 4).equals(body));
    });

    it("of one body that fits is sent at once", async () => {
      const results: unknown[] = [];
      const port = await answering((response) => {
        results.push(response.tryEnd("all of it", 9));
      });
      assert.match(await exchanged(port, requestOf("GET /", LAST)), /\r\n\r\nall of it$/);
      assert.deepEqual(results, [[true, true]]);
    });

    it("is aborted when the client goes away, and not after it has ended", async () => {
      const aborted = new Deferred<string>();
      const port = await answering((response, request) => {
        const url = request.getUrl();
        response.onAborted(() => aborted.resolve(url));
        if (url === "/answered") response.end();
        else setImmediate(() => client.destroy());
      });
      await exchanged(port, requestOf("GET /answered", LAST));
      const client = connected(port, requestOf("GET /waiting"));
      assert.equal(await within(aborted.promise, "the abort"), "/waiting");
    });

    it("is aborted when it is closed, before that returns", async () => {
      const seen: string[] = [];
      const port = await answering((response) => {
        response.onAborted(() => seen.push("aborted"));
        response.close();
        seen.push("closed");
      });
      assert.equal(await exchanged(port, requestOf("GET /")), "");
      assert.deepEqual(seen, ["aborted", "closed"]);
    });

    it("must not be used after it is over", async () => {
      let over: EngineResponse | undefined;
      const port = await answering((response) => {
        over = response;
        response.end();
      });
      await exchanged(port, requestOf("GET /", LAST));
      assert.throws(() => over?.end());
      assert.throws(() => over?.getRemoteAddressAsText());
    });

    it("is followed by those of the next requests, in order", async () => {
      const port = await answering((response, request) => response.end(request.getUrl()));
      const requests = ["/a", "/b", "/c"].map((path) => requestOf(`GET ${path}`));
      const got = await exchanged(port, `${requests.join("")}${requestOf("GET /d", LAST)}`);
      assert.deepEqual(got.match(/\/[a-d]/g), ["/a", "/b", "/c", "/d"]);
    });
  });

  describe("the body of a request", () => {
    it("comes in chunks, the last of which says so", async () => {
      const port = await answering(collecting);
      const body = "0123456789".repeat(20_000);
      const got = await exchanged(
        port,
        requestOf("POST /", [`Content-Length: ${body.length}`, ...LAST], body),
      );
      assert.equal(got.slice(got.indexOf("\r\n\r\n") + 4), body);
    });

    it("may itself be sent in chunks", async () => {
      const port = await answering(collecting);
      const body = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
      const got = await exchanged(
        port,
        requestOf("POST /", ["Transfer-Encoding: chunked", ...LAST], body),
      );
      assert.match(got, /\r\n\r\nabcde$/);
    });

    it("is dropped if nobody reads it, and the next request is served", async () => {
      const port = await answering((response) => response.end());
      const body = "x".repeat(100_000);
      const first = requestOf("POST /", [`Content-Length: ${body.length}`], body);
      assert.deepEqual(
        statusesOf(await exchanged(port, first + requestOf("GET /", LAST))),
        [200, 200],
      );
    });
  });

  describe("a head", () => {
    it("that is too long is answered with 431", async () => {
      const port = await answering((response) => response.end());
      assert.deepEqual(statusesOf(await exchanged(port, longRequest(3_000))), [200]);
      assert.deepEqual(
        statusesOf(await exchanged(port, longRequest(APP_OPTIONS.maxHeaderBytes + 1))),
        [431],
      );
    });

    it("that names no host, or two, is refused", async () => {
      const port = await opening({}, (app) => app.any("/*", (response) => void response.end()));
      const asksForUpgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ];
      for (const hosts of [[], ["Host: a", "Host: a"], ["Host: a", "hOST: b"]]) {
        for (const more of [[], asksForUpgrade, ["Connection: Upgrade", "Upgrade: h2c"]]) {
          const head = [`GET ${PATH} HTTP/1.1`, ...hosts, ...more, "", ""].join("\r\n");
          assert.deepEqual(statusesOf(await exchanged(port, head)), [400], head);
        }
      }
    });

    it("that says twice where its body ends is refused", async () => {
      let urls = 0;
      const port = await answering((response) => {
        urls += 1;
        response.onAborted(() => {});
      });
      const both = ["Content-Length: 3", "Transfer-Encoding: chunked"];
      const got = await exchanged(
        port,
        requestOf("POST /", both, "0\r\n\r\n") + requestOf("GET /"),
      );
      assert.ok([undefined, 400].includes(statusesOf(got)[0]), got);
      assert.ok(urls <= 1, `${urls} requests`);
    });
  });

  describe("the filter", () => {
    it("is told of connections that open and close, unless they have become WebSockets", async () => {
      const changes: number[] = [];
      const port = await opening({}, (app) => {
        app.any("/*", (response) => response.end());
        app.filter((_, change) => changes.push(Math.sign(change)));
      });
      await exchanged(port, requestOf("GET /", LAST));
      await eventually(() => changes.length === 2);
      assert.deepEqual(changes, [1, -1]);
      const client = await opened(port);
      client.ws.close();
      await client.closed;
      const other = connected(port);
      await eventually(() => changes.length === 4);
      other.destroy();
      await eventually(() => changes.length === 5);
      assert.deepEqual(changes, [1, -1, 1, 1, -1]);
    });

    it("may close a connection, of which it is told at once", async () => {
      const changes: string[] = [];
      const port = await listening((app) => {
        app.any("/*", (response) => response.end());
        app.filter((response, change) => {
          changes.push(String(Math.sign(change)));
          if (change > 0) {
            response.close();
            changes.push("closed");
          }
        });
      });
      assert.equal(await exchanged(port, requestOf("GET /")), "");
      assert.deepEqual(changes, ["1", "-1", "closed"]);
    });

    it("may pause a connection, from which nothing is read until it is resumed", async () => {
      const paused: EngineResponse[] = [];
      const urls: string[] = [];
      const port = await listening((app) => {
        app.any("/*", (response, request) => {
          urls.push(request.getUrl());
          response.end();
        });
        app.filter((response, change) => {
          if (change < 0 || paused.length > 0) return;
          response.pause();
          paused.push(response);
        });
      });
      const first = exchanged(port, requestOf("GET /paused", LAST));
      await eventually(() => paused.length === 1);
      await exchanged(port, requestOf("GET /other", LAST));
      assert.deepEqual(urls, ["/other"]);
      paused[0]?.resume();
      assert.deepEqual(statusesOf(await first), [200]);
      assert.deepEqual(urls, ["/other", "/paused"]);
    });
  });

  describe("a WebSocket", () => {
    it("is opened by the upgrade of its request, with a subprotocol", async () => {
      const seen: string[] = [];
      const port = await opening({
        upgrade: (response, request, context) => {
          upgrade(response, request, context, "two");
          seen.push("upgraded");
        },
        open: () => seen.push("open"),
      });
      const ws = new WebSocket(`ws://127.0.0.1:${port}${PATH}?x=1`, ["one", "two"]);
      clients.push(ws);
      await within(once(ws, "open"), "an open WebSocket");
      assert.equal(ws.protocol, "two");
      assert.deepEqual(seen, ["open", "upgraded"]);
    });

    it("may be opened later, unless its client has gone away", async () => {
      const aborted = new Deferred<undefined>();
      const port = await opening({
        upgrade: (response, request, context) => {
          const key = request.getHeader("sec-websocket-key");
          const isSlow = request.getQuery() === "slow";
          response.onAborted(() => aborted.resolve(undefined));
          if (isSlow) return;
          setTimeout(() => response.cork(() => response.upgrade({}, key, "", "", context)), 5);
        },
        message: (ws, message) => void ws.send(message),
      });
      const client = await opened(port);
      client.ws.send("hello");
      assert.equal(await client.next(), "hello");
      const slow = new WebSocket(`ws://127.0.0.1:${port}${PATH}?slow`);
      slow.on("error", () => {});
      setTimeout(() => slow.terminate(), 50);
      await within(aborted.promise, "the abort");
    });

    it("may be refused", async () => {
      const port = await opening({
        upgrade: (response) => void response.writeStatus("403 Forbidden").end("no"),
      });
      const ws = new WebSocket(`ws://127.0.0.1:${port}${PATH}`);
      clients.push(ws);
      ws.on("error", () => {});
      const [, response] = (await within(once(ws, "unexpected-response"), "an answer")) as [
        unknown,
        { readonly statusCode: number },
      ];
      assert.equal(response.statusCode, 403);
    });

    it("without a valid key goes to the path's other route", async () => {
      const port = await opening({}, (app) =>
        app.any(PATH, (response) => void response.writeStatus("400 Bad Request").end()),
      );
      assert.deepEqual(statusesOf(await exchanged(port, requestOf(`GET ${PATH}`, LAST))), [400]);
      assert.deepEqual(statusesOf(await exchanged(port, requestOf(`POST ${PATH}`, LAST))), [400]);
    });

    it("exchanges text and bytes of any length, in order", async () => {
      const port = await opening({
        maxPayloadLength: 200_000,
        message: (ws, message, isBinary) => {
          assert.equal(ws.send(message, isBinary), 1);
        },
      });
      const client = await opened(port);
      const texts = [0, 1, 125, 126, 65_535, 65_536, 199_999].map((length) =>
        "é".repeat(length / 2),
      );
      for (const text of texts) client.ws.send(text);
      for (const text of texts) assert.equal(await client.next(), text);
      client.ws.send(Buffer.from([0, 255]));
      assert.deepEqual(await client.next(), Buffer.from([0, 255]));
    });

    it("gets whole messages", async () => {
      const port = await opening({ message: (ws, message) => void ws.send(message) });
      const client = await opened(port);
      client.ws.send("he", { fin: false });
      client.ws.ping();
      client.ws.send("llo", { fin: true });
      assert.equal(await client.next(), "hello");
    });

    it("answers pings with their data, and is told of them and of pongs", async () => {
      const seen: string[] = [];
      const port = await opening({
        ping: (ws, data) => {
          seen.push(`ping ${textOf(data)}`);
          assert.equal(ws.ping("back"), 1);
        },
        pong: (_, data) => seen.push(`pong ${textOf(data)}`),
      });
      const client = await opened(port);
      const ponged = once(client.ws, "pong");
      client.ws.ping("there");
      assert.deepEqual(await within(ponged, "the pong"), [Buffer.from("there")]);
      await eventually(() => seen.length === 2);
      assert.deepEqual(seen, ["ping there", "pong back"]);
    });

    it("gets what is sent to it and published to its topics in order", async () => {
      const sockets: EngineWebSocket[] = [];
      let app: EngineApp | undefined;
      const port = await opening({ open: (ws) => sockets.push(ws) }, (created) => {
        app = created;
      });
      const [one, two] = [await opened(port), await opened(port)];
      const [first, second] = sockets as [EngineWebSocket, EngineWebSocket];
      assert.equal(first.subscribe("a"), true);
      second.subscribe("a");
      second.subscribe("b");
      assert.deepEqual(second.getTopics().toSorted(), ["a", "b"]);
      first.send("1");
      assert.equal(app?.publish("a", "2"), true);
      first.send("3");
      assert.equal(first.publish("a", "4"), true);
      assert.equal(app?.publish("b", "5"), true);
      assert.equal(app?.publish("nobody", "6"), false);
      assert.equal(second.unsubscribe("a"), true);
      assert.equal(second.unsubscribe("a"), false);
      assert.equal(app?.publish("a", Buffer.from("7"), true), true);
      assert.equal(first.publish("a", "8"), false);
      first.send("9");
      second.send("9");
      assert.deepEqual(await one.until("9"), ["1", "2", "3", Buffer.from("7"), "9"]);
      assert.deepEqual(await two.until("9"), ["2", "4", "5", "9"]);
    });

    it("gets the bytes of the moment of the call, also of shared memory", async () => {
      const sockets: EngineWebSocket[] = [];
      let app: EngineApp | undefined;
      const port = await opening({ open: (ws) => sockets.push(ws) }, (created) => {
        app = created;
      });
      const client = await opened(port);
      const [ws] = sockets as [EngineWebSocket];
      ws.subscribe("a");
      const shared = new Uint8Array(new SharedArrayBuffer(8), 2, 3);
      for (const [at, send] of [
        () => ws.send(shared, true),
        () => app?.publish("a", shared, true),
      ].entries()) {
        shared.fill(at);
        send();
        shared.fill(9);
        assert.deepEqual(await client.next(), Buffer.alloc(3, at));
      }
    });

    it("gets nothing more of a topic when it has been closed", async () => {
      const sockets: EngineWebSocket[] = [];
      let app: EngineApp | undefined;
      const port = await opening(
        {
          open: (ws) => {
            sockets.push(ws);
            ws.subscribe("a");
          },
        },
        (created) => {
          app = created;
        },
      );
      await opened(port);
      sockets[0]?.close();
      assert.equal(app?.publish("a", "1"), false);
    });

    it("reports what its client has not read, skips what is too much, and says when it has read", async () => {
      const drops: EngineWebSocket[] = [];
      const drained = new Deferred<undefined>();
      let server: EngineWebSocket | undefined;
      const port = await opening({
        maxBackpressure: 500_000,
        open: (ws) => {
          server = ws;
          ws.subscribe("a");
        },
        dropped: (ws) => drops.push(ws),
        drain: () => drained.resolve(undefined),
      });
      const client = await opened(port);
      client.ws.pause();
      const message = Buffer.alloc(100_000);
      const results: number[] = [];
      while (results.at(-1) !== 2) {
        results.push(server?.send(message, true) ?? -1);
        await new Promise((resolve) => void setImmediate(resolve));
      }
      assert.deepEqual([...new Set(results)], [1, 0, 2]);
      assert.deepEqual(drops, [server]);
      const unsent = server?.getBufferedAmount() ?? 0;
      assert.ok(unsent > 400_000 && unsent < 700_000, `${unsent} bytes`);
      assert.equal(server?.ping(), 2);
      client.ws.resume();
      await within(drained.promise, "the drain");
      await eventually(() => server?.getBufferedAmount() === 0);
      assert.equal(server?.send("last"), 1);
      const got = await client.until("last");
      assert.equal(got.length, results.filter((result) => result !== 2).length + 1);
    });

    it("ends with a code and a reason, after all that was sent", async () => {
      const codes: unknown[] = [];
      const port = await opening({
        message: (ws) => {
          ws.send("last");
          ws.end(4_001, "reason");
          codes.push("ended");
          assert.throws(() => ws.send("too late"));
          assert.throws(() => ws.getBufferedAmount());
        },
        close: (_, code) => codes.push(code),
      });
      const client = await opened(port);
      client.ws.send("end");
      assert.equal(await client.next(), "last");
      assert.equal(await client.closed, "4001 reason");
      assert.deepEqual(codes, [4_001, "ended"]);
    });

    it("may be cut, without a code", async () => {
      const codes: unknown[] = [];
      const port = await opening({
        message: (ws) => {
          ws.close();
          codes.push("cut");
        },
        close: (_, code) => codes.push(code),
      });
      const client = await opened(port);
      client.ws.send("cut");
      assert.equal(await client.closed, "1006");
      assert.deepEqual(codes, [1006, "cut"]);
    });

    it("is closed by its client with a code, without one, and without a word", async () => {
      const codes: number[] = [];
      const port = await opening({ close: (_, code) => codes.push(code) });
      const leave: readonly ((ws: WebSocket) => void)[] = [
        (ws) => ws.close(1000, "bye"),
        (ws) => ws.close(4_999),
        (ws) => ws.close(),
        (ws) => ws.terminate(),
      ];
      for (const [at, close] of leave.entries()) {
        close((await opened(port)).ws);
        await eventually(() => codes.length === at + 1);
      }
      assert.deepEqual(codes, [1000, 4_999, 1005, 1006]);
    });

    it("of a closed app is closed, before that returns", async () => {
      const codes: number[] = [];
      const port = await opening({ close: (_, code) => codes.push(code) });
      const client = await opened(port);
      apps.at(-1)?.close();
      assert.deepEqual(codes, [1006]);
      assert.equal(await client.closed, "1006");
    });

    it("may compress, with clients that want it", async () => {
      let app: EngineApp | undefined;
      const { compressed } = await engine();
      const port = await opening(
        {
          compression: compressed,
          open: (ws) => void ws.subscribe("a"),
          message: (ws, message) => void ws.send(message, false, true),
        },
        (created) => {
          app = created;
        },
      );
      const text = "compressible ".repeat(50);
      const [plain, deflating] = [await opened(port), await opened(port, true)];
      for (const client of [plain, deflating]) {
        client.ws.send(text);
        assert.equal(await client.next(), text);
      }
      for (let round = 0; round < 3; round += 1) app?.publish("a", `${round}${text}`, false, true);
      app?.publish("a", "short");
      const expected = [0, 1, 2].map((round) => `${round}${text}`);
      assert.deepEqual(await plain.until("short"), [...expected, "short"]);
      assert.deepEqual(await deflating.until("short"), [...expected, "short"]);
      assert.ok(deflating.bytesRead < plain.bytesRead / 2, `${deflating.bytesRead} bytes`);
    });

    for (const [what, frame, code] of [
      ["an unknown opcode", "\x83\x80\0\0\0\0", endCodes.protocolError],
      ["a reserved bit", "\xc1\x80\0\0\0\0", endCodes.protocolError],
      ["a continuation of nothing", "\x80\x80\0\0\0\0", endCodes.protocolError],
      ["text that is not UTF-8", "\x81\x81\0\0\0\0\xff", endCodes.invalidText],
      ["a message that is too long", "\x82\xfe\x07\xd0\0\0\0\0", endCodes.tooLarge],
    ] as const) {
      it(`that is sent ${what} is ended with ${code}`, async () => {
        const seen: unknown[] = [];
        const port = await opening({
          message: (ws, message) => {
            seen.push(textOf(message));
            ws.send("answer");
          },
          close: () => seen.push("closed"),
        });
        const client = await opened(port);
        // What came before is answered.
        client.raw("\x81\x82\0\0\0\0hi");
        assert.equal(await client.next(), "answer");
        client.raw(frame);
        assert.equal((await client.closed).slice(0, 4), String(code));
        await eventually(() => seen.length === 2);
        assert.deepEqual(seen, ["hi", "closed"]);
      });
    }
  });
}

function textOf(bytes: EngineBytes): string {
  return Buffer.from(new Uint8Array(bytes)).toString();
}

function longRequest(bytes: number): string {
  return requestOf("GET /", [`X-Long: ${"x".repeat(bytes)}`, ...LAST]);
}

/** Answers a request with its body. */
const collecting: EngineHandler = (response) => {
  const chunks: Buffer[] = [];
  response.onAborted(() => {});
  response.onData((chunk, isLast) => {
    chunks.push(Buffer.from(Buffer.from(chunk)));
    if (isLast) response.cork(() => response.end(Buffer.concat(chunks)));
  });
};

function upgrade(
  response: EngineResponse,
  request: EngineRequest,
  context: object,
  subprotocol = "",
): void {
  response.upgrade(
    {},
    request.getHeader("sec-websocket-key"),
    subprotocol,
    request.getHeader("sec-websocket-extensions"),
    context,
  );
}

function headOf(request: EngineRequest): object {
  const headers: [string, string][] = [];
  request.forEach((name, value) => void headers.push([name, value]));
  return {
    method: request.getCaseSensitiveMethod(),
    url: request.getUrl(),
    query: request.getQuery(),
    headers,
  };
}

/** A client that keeps what it is sent. */
class Client {
  readonly ws: WebSocket;
  readonly closed: Promise<string>;
  readonly #messages: (string | Buffer)[] = [];
  readonly #socket: Socket;

  /** @param socket - the connection of the WebSocket */
  constructor(ws: WebSocket, socket: Socket) {
    this.ws = ws;
    this.#socket = socket;
    ws.on("error", () => {});
    ws.on("message", (data: Buffer, isBinary) => {
      this.#messages.push(isBinary ? data : data.toString());
    });
    this.closed = within(
      new Promise((resolve) => {
        ws.once("close", (code, reason) => resolve(`${code} ${reason.toString()}`.trim()));
      }),
      "the end of a WebSocket",
    );
    this.closed.catch(() => {});
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  /** Sends bytes past the WebSocket. */
  raw(text: string): void {
    this.#socket.write(text, "latin1");
  }

  async next(): Promise<string | Buffer> {
    await eventually(() => this.#messages.length > 0);
    return this.#messages.shift() ?? "";
  }

  /** Returns all messages up to this one. */
  async until(last: string): Promise<readonly (string | Buffer)[]> {
    const got: (string | Buffer)[] = [];
    while (got.at(-1) !== last) got.push(await this.next());
    return got;
  }
}

/** Waits for a condition that a later turn of the event loop makes true. */
async function eventually(isTrue: () => boolean): Promise<void> {
  const reached = async (): Promise<void> => {
    while (!isTrue()) await new Promise((resolve) => void setImmediate(resolve));
  };
  await within(reached(), String(isTrue));
}

/** Waits until a number has not changed for many turns of the event loop. */
async function quiet(count: () => number): Promise<void> {
  for (let turns = 0, last = -1; turns < 200; turns += 1) {
    if (count() !== last) turns = 0;
    last = count();
    await new Promise((resolve) => void setImmediate(resolve));
  }
}

async function wholeOf(client: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  client.on("data", (piece: Buffer) => pieces.push(piece));
  client.resume();
  await within(once(client, "end"), "the end of an answer");
  return Buffer.concat(pieces);
}

function bodyBytes(answer: Buffer): number {
  return answer.length - answer.indexOf("\r\n\r\n") - 4;
}
