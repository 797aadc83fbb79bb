/**
 * The conformance app with `CHECK_ORIGIN` and `URL_HOST` in its environment, as when it is started by hand.
 *
 * Runs on: the main thread of the tests; shards inherit the environment at their start.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, describe, it } from "node:test";
import { WebSocket } from "ws";
import { within } from "../support/deadline.ts";
import { startServerWith } from "../support/server.ts";
import type { Server } from "../support/server.ts";

const servers: Server[] = [];
after(() => Promise.all(servers.map((server) => server.close())));

/** Returns the status of the response to a page of this origin. */
async function statusFor({ port }: Server, origin: string | undefined): Promise<number> {
  const headers = origin === undefined ? {} : { origin };
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`, { headers });
  // A refusal is also reported as an error; only its status matters here.
  webSocket.on("error", () => undefined);
  const refused = once(webSocket, "unexpected-response");
  const opened = once(webSocket, "open").then(() => 101);
  const status = refused.then(([, { statusCode }]) => statusCode as number);
  try {
    return await within(Promise.race([opened, status]), `an answer to ${origin ?? "no origin"}`);
  } finally {
    webSocket.terminate();
  }
}

async function assertAllowed(
  environment: Readonly<Record<string, string>>,
  expected: (port: number) => Readonly<Record<string, boolean>>,
): Promise<void> {
  const server = await startServerWith(environment, "conformance", { shards: 1 });
  servers.push(server);
  assert.equal(await statusFor(server, undefined), 101);
  for (const [origin, isAllowed] of Object.entries(expected(server.port))) {
    assert.equal(await statusFor(server, origin), isAllowed ? 101 : 403, origin);
  }
}

describe("The conformance app, by its environment", () => {
  it("lets every page connect without CHECK_ORIGIN", () =>
    assertAllowed({}, () => ({ "https://evil.example": true, null: true })));

  it("lets pages of localhost connect with true", () =>
    assertAllowed({ CHECK_ORIGIN: "true" }, () => ({
      "http://localhost": true,
      "https://localhost:8443": true,
      "http://127.0.0.1": false,
      null: false,
    })));

  it("lets pages of URL_HOST connect with true", () =>
    assertAllowed({ CHECK_ORIGIN: "true", URL_HOST: "example.com" }, () => ({
      "https://example.com": true,
      "http://localhost": false,
    })));

  it("lets its own pages connect with conn", () =>
    assertAllowed({ CHECK_ORIGIN: "conn" }, (port) => ({
      [`http://127.0.0.1:${port}`]: true,
      [`http://localhost:${port}`]: false,
      [`https://127.0.0.1:${port}`]: false,
    })));

  it("lets pages of a list connect", () =>
    assertAllowed({ CHECK_ORIGIN: "https://a.com, //*.b.org" }, () => ({
      "https://a.com": true,
      "http://a.com": false,
      "http://x.b.org:1": true,
      "http://localhost": false,
    })));
});
