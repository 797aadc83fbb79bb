/**
 * Streamed responses, over real connections whose clients read when the test says so.
 *
 * Runs on: the test's thread, which is also the shard's.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { connect } from "node:net";
import { after, describe, it } from "node:test";

import { LOG_LINES } from "../../../src/log/logger.ts";
import type {
  ResponseStream,
  StreamedResponse,
  StreamListener,
} from "../../../src/transport/http/response-stream.ts";
import type { RouteRequest } from "../../../src/transport/http/routes.ts";
import { within } from "../../support/deadline.ts";
import { requestOf } from "../../support/raw-http.ts";
import { startShard } from "../../support/shard.ts";
import type { TestShard } from "../../support/shard.ts";
import { Deferred } from "../../support/world.ts";

/** More than the system buffers for a connection that nobody reads from. */
const FLOOD_BYTES = 24_000_000;

const shards: TestShard[] = [];
after(() => {
  for (const shard of shards) shard.close();
});

interface Streaming {
  readonly shard: TestShard;
  readonly request: RouteRequest;
  readonly out: ResponseStream;
  readonly asked: ClientRequest;
  /** The response, not read yet. */
  readonly response: () => Promise<IncomingMessage>;
}

/** Requests a streamed response. */
async function streaming(
  listener: StreamListener = {},
  given: Partial<StreamedResponse> = {},
): Promise<Streaming> {
  const begun = new Deferred<{ request: RouteRequest; out: ResponseStream }>();
  const shard = await startShard({
    sockets: {},
    routes: {
      "GET /stream": (incoming) => ({
        status: 200,
        stream(out) {
          begun.resolve({ request: incoming, out });
          return listener;
        },
        ...given,
      }),
    },
  });
  shards.push(shard);
  const asked = request({ host: "127.0.0.1", port: shard.port, path: "/stream", agent: false });
  asked.on("error", () => {});
  const responding = once(asked, "response") as Promise<[IncomingMessage]>;
  asked.end();
  const { request: incoming, out } = await within(begun.promise, "the stream");
  const response = async (): Promise<IncomingMessage> =>
    (await within(responding, "the response"))[0];
  return { shard, request: incoming, out, asked, response };
}

function endWithAll(out: ResponseStream): void {
  out.end("all");
}

function boom(): never {
  throw new Error("boom");
}

/** Reads a response to its end. */
async function whole(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

describe("a streamed response", () => {
  it("is sent piece by piece, text and bytes, until it is ended", async () => {
    const headers = { "content-type": "text/event-stream" };
    const { out, response } = await streaming({}, { status: 203, headers });
    out.write("one ");
    const got = await response();
    assert.deepEqual([got.statusCode, got.headers["content-type"]], [203, "text/event-stream"]);
    const [first] = (await within(once(got, "data"), "the first piece")) as [Buffer];
    assert.equal(first.toString(), "one ");
    const bytes = Buffer.from("twö ");
    out.write(bytes);
    bytes.fill(0);
    out.write("");
    out.end("three");
    assert.equal(out.isOpen, false);
    assert.equal(await within(whole(got), "the rest"), "twö three");
    out.write("four");
    out.end();
  });

  it("may be empty", async () => {
    const { out, response } = await streaming();
    out.end();
    assert.equal(await within(whole(await response()), "the end"), "");
  });

  it("waits for a client that does not read, and reports when it has read everything", async () => {
    const drained = new Deferred<void>();
    let drains = 0;
    const { out, response } = await streaming({
      drained() {
        drains += 1;
        drained.resolve();
      },
    });
    out.write("begin ");
    const got = await response();
    assert.equal(out.bufferedBytes, 0);
    const piece = "x".repeat(FLOOD_BYTES / 2);
    out.write(piece);
    const bytes = Buffer.from("ä".repeat(1_000));
    out.write(bytes);
    bytes.fill(0);
    out.write(piece);
    // The engine keeps the first of them, and we keep the others.
    assert.equal(out.bufferedBytes, FLOOD_BYTES + 2_000);
    assert.equal(drains, 0);
    const reading = whole(got);
    await within(drained.promise, "the drain");
    assert.equal(out.bufferedBytes, 0);
    out.end(" end");
    const text = await within(reading, "all of it");
    assert.ok(text === `begin ${piece}${"ä".repeat(1_000)}${piece} end`);
  });

  it("sends everything to a client that starts to read late, even if nothing more is written", async () => {
    const { out, response } = await streaming();
    out.write("begin ");
    const got = await response();
    out.write("x".repeat(FLOOD_BYTES));
    assert.equal(out.bufferedBytes, FLOOD_BYTES);
    let bytes = 0;
    const arrived = new Deferred<void>();
    got.on("data", (piece: Buffer) => {
      bytes += piece.length;
      if (bytes === FLOOD_BYTES + 6) arrived.resolve();
    });
    await within(arrived.promise, "all of it");
    out.end();
  });

  it("sends all waiting pieces before it ends", async () => {
    const { out, response } = await streaming();
    out.write("begin ");
    const got = await response();
    out.write("x".repeat(FLOOD_BYTES));
    out.write("last but one ");
    out.end("last");
    const text = await within(whole(got), "all of it");
    assert.equal(text.length, FLOOD_BYTES + 6 + 17);
    assert.ok(text.endsWith("xlast but one last"));
  });

  it("counts the waiting pieces until its client has read them, even if it is ended", async () => {
    let calls = 0;
    const count = (): void => void (calls += 1);
    const { out, response } = await streaming({ drained: count, closed: count });
    out.write("begin ");
    const got = await response();
    out.write("x".repeat(FLOOD_BYTES));
    out.end("last");
    assert.deepEqual([out.isOpen, out.bufferedBytes], [false, FLOOD_BYTES + 4]);
    await within(whole(got), "all of it");
    assert.deepEqual([out.bufferedBytes, calls], [0, 0]);
  });

  it("counts its last piece if its client does not read", async () => {
    const { out, response } = await streaming();
    out.end("x".repeat(FLOOD_BYTES));
    assert.equal(out.bufferedBytes, FLOOD_BYTES);
    assert.equal((await within(whole(await response()), "all of it")).length, FLOOD_BYTES);
    assert.equal(out.bufferedBytes, 0);
  });

  it("can be cut after its end, while pieces wait", async () => {
    const { out, response } = await streaming();
    out.write("begin ");
    const got = await response();
    out.write("x".repeat(FLOOD_BYTES));
    out.end();
    out.abort();
    assert.equal(out.bufferedBytes, 0);
    await assert.rejects(within(whole(got), "the cut"), { code: "ECONNRESET" });
  });

  it("asks its client to close if the request has a longer body than any may have", async () => {
    const routes = { "POST /stream": () => ({ status: 200, stream: endWithAll }) };
    const shard = await startShard({ sockets: {}, routes }, { maxBodyBytes: 1_024 });
    shards.push(shard);
    const path = { host: "127.0.0.1", port: shard.port, path: "/stream", method: "POST" };
    const asked = request({ ...path, headers: { "content-length": 1_025 }, agent: false });
    asked.flushHeaders();
    const responding = once(asked, "response") as Promise<[IncomingMessage]>;
    const [response] = await within(responding, "the response");
    assert.equal(response.headers.connection, "close");
    assert.equal(await within(whole(response), "all of it"), "all");
    asked.destroy();
  });

  it("reports once that its client went away, and accepts nothing more", async () => {
    const closed = new Deferred<void>();
    let closes = 0;
    const {
      out,
      request: incoming,
      asked,
      response,
    } = await streaming({
      closed() {
        closes += 1;
        closed.resolve();
      },
    });
    const { signal } = incoming;
    out.write("begin ");
    await response();
    asked.destroy();
    await within(closed.promise, "the end of the client");
    assert.deepEqual([out.isOpen, out.bufferedBytes, signal.aborted], [false, 0, true]);
    out.write("more");
    out.end();
    out.abort();
    assert.equal(closes, 1);
  });

  it("may lose its client between its end and the close of the connection", async (test) => {
    const begun = new Deferred<ResponseStream>();
    const gone = new Deferred<void>();
    const stream = (out: ResponseStream): StreamListener => {
      begun.resolve(out);
      return {};
    };
    const routes = {
      "GET /stream": ({ signal }: RouteRequest) => {
        signal.addEventListener("abort", () => gone.resolve());
        return { status: 200, stream };
      },
    };
    const shard = await startShard({ sockets: {}, routes });
    shards.push(shard);
    const client = connect(shard.port, "127.0.0.1");
    client.write(requestOf("GET /stream", ["Connection: close"]));
    const out = await within(begun.promise, "the stream");
    test.mock.timers.enable({ apis: ["setTimeout"] });
    out.end("end");
    client.destroy();
    await gone.promise;
    // The close phase, in which the engine's response must not be used any more.
    test.mock.timers.tick(1);
    assert.deepEqual([out.isOpen, shard.counter("idleConnections")], [false, 0]);
  });

  it("is incomplete if it is aborted, and its listener is not called", async () => {
    let closes = 0;
    const { out, response } = await streaming({ closed: () => void (closes += 1) });
    out.write("begin ");
    const got = await response();
    out.abort();
    await assert.rejects(within(whole(got), "the cut"), { code: "ECONNRESET" });
    assert.deepEqual([closes, out.isOpen], [0, false]);
  });

  it("tells its route once if the node cuts it, because it holds too much", async () => {
    let closes = 0;
    const { out, response } = await streaming({ closed: () => void (closes += 1) });
    out.write("begin ");
    const got = await response();
    out.write("x".repeat(FLOOD_BYTES));
    out.shed();
    out.shed();
    await assert.rejects(within(whole(got), "the cut"), { code: "ECONNRESET" });
    assert.deepEqual([closes, out.isOpen, out.bufferedBytes], [1, false, 0]);
  });

  it("is cut and logged if the route's stream or a listener throws", async () => {
    const { shard, out, response } = await streaming({ drained: boom });
    out.write("begin ");
    const got = await response();
    out.write("x".repeat(FLOOD_BYTES));
    await assert.rejects(within(whole(got), "the cut"), { code: "ECONNRESET" });
    const { text, fields } = shard.log.at(-1) ?? assert.fail("nothing was logged");
    assert.deepEqual([text, fields["path"]], [LOG_LINES.routeFailed.text, "/stream"]);
    const routes = { "GET /throws": () => ({ status: 200, stream: boom }) };
    const other = await startShard({ sockets: {}, routes });
    shards.push(other);
    await assert.rejects(fetch(`http://127.0.0.1:${other.port}/throws`));
    assert.equal(other.log.at(-1)?.text, LOG_LINES.routeFailed.text);
  });

  it("refuses a status or headers that cannot be sent", async () => {
    for (const given of [{ status: 99 }, { status: 200, headers: { "x-a": "b\r\nc" } }]) {
      const routes = { "GET /wrong": () => ({ ...given, stream: () => assert.fail("begun") }) };
      const shard = await startShard({ sockets: {}, routes });
      shards.push(shard);
      const answer = await fetch(`http://127.0.0.1:${shard.port}/wrong`);
      assert.equal(answer.status, 500);
    }
  });
});
