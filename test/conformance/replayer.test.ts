/**
 * Tests the replayer against a server that does what each test tells it to.
 *
 * Every test but the first makes the server wrong in some way and checks that the replayer notices. All of these
 * would fail with a replayer that compares nothing.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, describe, it } from "node:test";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import type { Deviation, Exception } from "./exceptions.ts";
import { judge, play } from "./replayer.ts";
import { parseScenario } from "./scenario.ts";

const JOIN = '["1","1","room:1","phx_join",{}]';
const JOINED = '["1","1","room:1","phx_reply",{"response":{},"status":"ok"}]';
const SHOUT = '["1","2","room:1","shout",{}]';
const SHOUTED = '[null,null,"room:1","shout",{}]';
const NOISE = '[null,null,"room:1","noise",{}]';

/** A join, then a shout that is echoed, then a push without a response. */
const SCENARIO = parseScenario("test", {
  name: "join and shout",
  events: [
    { t: 0, conn: "a", dir: "->", open: "/socket/websocket?vsn=2.0.0" },
    { t: 2, conn: "a", dir: "<-", status: 101, headers: { "cache-control": "private" } },
    { t: 22, conn: "a", dir: "->", text: JOIN },
    { t: 24, conn: "a", dir: "<-", text: JOINED },
    { t: 94, conn: "a", dir: "->", text: SHOUT },
    { t: 95, conn: "a", dir: "<-", text: SHOUTED },
    { t: 165, conn: "a", dir: "->", text: '["9","3","room:1","stale",{}]' },
  ],
});

/** The same, but the server closes after the shout. */
const CLOSING = parseScenario("test", {
  name: "join and close",
  events: [
    { t: 0, conn: "a", dir: "->", open: "/socket/websocket?vsn=2.0.0" },
    { t: 2, conn: "a", dir: "<-", status: 101, headers: {} },
    { t: 22, conn: "a", dir: "->", text: JOIN },
    { t: 24, conn: "a", dir: "<-", closed: 1011, reason: "" },
    { t: 94, conn: "a", dir: "->", text: SHOUT },
    { t: 94, conn: "a", dir: "!!" },
  ],
});

type Script = (text: string, webSocket: WebSocket) => void;

const right: Script = (text, webSocket) => {
  if (text === JOIN) webSocket.send(JOINED);
  if (text === SHOUT) webSocket.send(SHOUTED);
};

const otherKeyOrder: Script = (text, webSocket) =>
  text === JOIN
    ? webSocket.send('["1","1","room:1","phx_reply",{"status":"ok","response":{}}]')
    : right(text, webSocket);

const wrongRef: Script = (text, webSocket) =>
  text === JOIN ? webSocket.send(JOINED.replace('"1","1"', '"1","7"')) : right(text, webSocket);

const withoutShout: Script = (text, webSocket) =>
  text === SHOUT ? undefined : right(text, webSocket);

const noiseAtEnd: Script = (text, webSocket) =>
  text.includes("stale") ? webSocket.send(NOISE) : right(text, webSocket);

const noiseLater: Script = (text, webSocket) => {
  if (text.includes("stale")) setImmediate(() => webSocket.send(NOISE));
  else right(text, webSocket);
};

const shoutFirst: Script = (text, webSocket) => {
  if (text !== JOIN) return;
  webSocket.send(SHOUTED);
  webSocket.send(JOINED);
};

const noiseForShout: Script = (text, webSocket) =>
  text === SHOUT ? webSocket.send(NOISE) : right(text, webSocket);

/** Servers of the current test, which are closed after it. */
const servers: WebSocketServer[] = [];

/** The scripted server is in this process, so anything that is still missing by then never arrives. */
const PATIENCE_MS = 1_000;

/** Starts a server that answers heartbeats by itself, and everything else by the script. */
async function startScripted(script: Script): Promise<number> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  servers.push(server);
  server.on("connection", (webSocket) => {
    webSocket.on("message", (data: Buffer) => {
      const text = data.toString();
      const [, ref, topic] = JSON.parse(text) as [unknown, unknown, string];
      if (topic !== "phoenix") return script(text, webSocket);
      return webSocket.send(
        JSON.stringify([null, ref, "phoenix", "phx_reply", { status: "ok", response: {} }]),
      );
    });
  });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function judged(
  script: Script,
  exceptions: readonly Exception[] = [],
  scenario = SCENARIO,
): Promise<string> {
  const arrived = await play(scenario, await startScripted(script), PATIENCE_MS);
  return judge(scenario, arrived, exceptions).join("\n");
}

function deviation(phoenix: readonly string[], ours: readonly string[]): Deviation {
  const reason = "the test wants it so";
  return {
    kind: "deviation",
    transcript: "test",
    scenario: SCENARIO.name,
    conn: "a",
    phoenix,
    ours,
    reason,
  };
}

describe("A replay", () => {
  afterEach(() => {
    for (const server of servers.splice(0)) {
      for (const client of server.clients) client.terminate();
      server.close();
    }
  });

  it("reports nothing if the server is right", async () => {
    assert.equal(await judged(right), "");
  });

  it("ignores the order of keys", async () => {
    assert.equal(await judged(otherKeyOrder), "");
  });

  it("sees a wrong frame", async () => {
    const said = await judged(wrongRef);
    assert.match(said, /connection a, arrival 1/);
    assert.match(said, /we sent +text \["1","7"/);
  });

  it("sees that a frame is missing", async () => {
    assert.match(
      await judged(withoutShout),
      /arrival 2:\n +Phoenix sent +text .*shout.*\n +we sent +nothing more/,
    );
  });

  it("sees an extra frame in answer to the last act", async () => {
    assert.match(
      await judged(noiseAtEnd),
      /arrival 3:\n +Phoenix sent +nothing more\n +we sent +text .*noise/,
    );
  });

  it("sees an extra frame that the server deferred to another turn of its loop", async () => {
    assert.match(await judged(noiseLater), /we sent +text .*noise/);
  });

  it("sees frames in the wrong order", async () => {
    assert.match(await judged(shoutFirst), /arrival 1:/);
  });

  it("accepts the same close as Phoenix's", async () => {
    assert.equal(await judged((_text, webSocket) => webSocket.close(1011), [], CLOSING), "");
  });

  it("sees a wrong close code", async () => {
    const said = await judged((_text, webSocket) => webSocket.close(1002), [], CLOSING);
    assert.match(said, /Phoenix sent +closed 1011 ""\n +we sent +closed 1002 ""/);
  });

  it("accepts a difference that is in the list of exceptions", async () => {
    const exception = deviation([`text ${SHOUTED}`], [`text ${NOISE}`]);
    assert.equal(await judged(noiseForShout, [exception]), "");
  });

  it("sees that an exception is unused", async () => {
    const exception = deviation([`text ${SHOUTED}`], [`text ${NOISE}`, `text ${SHOUTED}`]);
    assert.match(await judged(right, [exception]), /exception is unused: the test wants it so/);
  });

  it("sees that an unbuilt scenario agrees", async () => {
    const unbuilt: Exception = {
      kind: "unbuilt scenario",
      transcript: "test",
      scenario: SCENARIO.name,
      missing: "-",
    };
    assert.match(await judged(right, [unbuilt]), /exception is unused/);
    assert.equal(await judged(() => undefined, [unbuilt]), "");
  });
});
