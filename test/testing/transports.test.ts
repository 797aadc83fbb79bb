/**
 * The custom transports of an app that `simurgh/testing` runs.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  defineChannel,
  defineEndpoint,
  defineSocket,
  ok,
  type EndpointCallbacks,
  type EndpointDefinition,
} from "../../src/index.ts";
import { defineTransport, type TransportClient, type TransportHost } from "../../src/raw.ts";
import {
  assertPush,
  closeApp,
  connect,
  join,
  subscribeAndJoin,
  testApp,
} from "../../src/testing/index.ts";

const socket = defineSocket({ connect: ({ params }) => ok({ name: params["name"] }) });
const room = defineChannel(socket, {
  join: () => ok(),
  handleIn: { say: (channel, payload: object) => channel.broadcast("said", payload) },
});

interface World {
  readonly endpoint: EndpointDefinition;
  /** What has happened, in order. */
  readonly order: string[];
  readonly host: () => TransportHost;
}

/** An app with a transport. @param failure - thrown by the transport's start */
function worldOf(failure?: Error, routes: EndpointCallbacks["routes"] = {}): World {
  const order: string[] = [];
  let host: TransportHost | undefined;
  const transport = defineTransport({
    name: "pipe",
    start(given) {
      order.push("transport starts");
      host = given;
      given.route("GET /pipe", () => ({ status: 200 }));
      given.onCall((request) => `${Buffer.from(request).toString()} back`);
      given.measure("pipes", 1);
      if (failure) throw failure;
    },
    async stop() {
      await Promise.resolve();
      order.push("transport stops");
    },
  });
  const endpoint = defineEndpoint({
    sockets: { "/socket": { socket, channels: { "room:*": room }, sse: true } },
    transports: [transport],
    routes,
    start: () => void order.push("app starts"),
    stop: () => void order.push("app stops"),
  });
  return { endpoint, order, host: () => host ?? assert.fail("the transport was not started") };
}

describe("a custom transport of an app in a test", () => {
  it("starts after the app, and has stopped before the app does", async () => {
    const { endpoint, order } = worldOf();
    await connect(endpoint);
    await closeApp(endpoint);
    assert.deepEqual(order, ["app starts", "transport starts", "transport stops", "app stops"]);
  });

  it("reaches the same channels as the test's clients, until the app is closed", async () => {
    const { endpoint, host } = worldOf();
    const { channel } = await subscribeAndJoin(await connect(endpoint), "room:1");
    const decision = await host().connect({ path: "/socket", params: { vsn: "2.0.0" } });
    assert.ok(decision.result === "ok");
    const closes: number[] = [];
    const client: TransportClient = { send: () => {}, close: (code) => void closes.push(code) };
    const connection = decision.open(client);
    connection.receive('["1","1","room:1","phx_join",{}]');
    connection.receive('["1","2","room:1","say",{"text":"hi"}]');
    await assertPush(channel, "said", { text: "hi" });
    await closeApp(endpoint);
    assert.deepEqual([closes, connection.isOpen], [[1012], false]);
  });

  it("may call itself by its address", async () => {
    const { endpoint, host } = worldOf();
    await connect(endpoint);
    const answer = await host().call(host().address, "there");
    assert.equal(Buffer.from(answer).toString(), "there back");
    await closeApp(endpoint);
  });

  it("runs in virtual time", async () => {
    const { endpoint, order } = worldOf();
    const app = await testApp(endpoint, { time: "virtual" });
    const { reply } = await join(await app.connect(), "room:1");
    assert.equal(reply.status, "ok");
    await app.advance(60_000);
    await app.close();
    assert.deepEqual(order, ["app starts", "transport starts", "transport stops", "app stops"]);
  });

  it("fails the first connection if its start throws, and the app is stopped again", async () => {
    const { endpoint, order } = worldOf(new Error("no pipe"));
    await assert.rejects(connect(endpoint), { message: "no pipe" });
    assert.deepEqual(order, ["app starts", "transport starts", "transport stops", "app stops"]);
  });

  it("may not add a route of the app", async () => {
    const { endpoint } = worldOf(undefined, { "GET /pipe": () => ({ status: 204 }) });
    await assert.rejects(connect(endpoint), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message: "route must be defined once, got GET /pipe again",
    });
  });

  it("does not run if the test wants none", async () => {
    const { endpoint, order } = worldOf();
    const app = await testApp(endpoint, { transports: false });
    await join(await app.connect(), "room:1");
    await app.close();
    assert.deepEqual(order, ["app starts", "app stops"]);
  });
});
