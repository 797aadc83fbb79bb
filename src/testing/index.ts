/**
 * `simurgh/testing`: tests of channels without a server, a network or threads.
 *
 * A test connects to an endpoint and talks to its channels as a client does. The code that runs is
 * the server's own, from the socket's `connect` to PubSub; only the engine and the threads are
 * missing, so a test takes about a millisecond. Use any test runner: a failed assertion throws an
 * AssertionError of `node:assert`.
 *
 * `transportCases` tests a custom transport, with a server.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { afterEach, test } from "node:test";
 * import { assertBroadcast, assertReply, closeApp, connect, subscribeAndJoin } from "simurgh/testing";
 *
 * import app from "./app.ts";
 *
 * afterEach(() => closeApp(app));
 *
 * test("a message goes to everyone in the room", async () => {
 *   const socket = await connect(app, { params: { user_id: "ann" } });
 *   const { reply, channel } = await subscribeAndJoin(socket, "room:lobby");
 *   assert.deepEqual(reply.response, { members: 1 });
 *
 *   await assertReply(channel.push("new_msg", { body: "hi" }), "ok");
 *   await assertBroadcast(channel, "new_msg", { body: "hi", from: "ann" });
 * });
 * ```
 *
 * Runs on: the thread of a test.
 */

export {
  assertBroadcast,
  assertClosed,
  assertCrashed,
  assertDisconnected,
  assertPush,
  assertReply,
  refuteBroadcast,
  refutePush,
  refuteReply,
} from "./assertions.ts";
export type { WaitOptions } from "./assertions.ts";
export {
  broadcastFrom,
  close,
  closeApp,
  connect,
  join,
  leave,
  socketWith,
  subscribe,
  subscribeAndJoin,
} from "./connect.ts";
export type { ConnectOptions, Joined, SocketOptions } from "./connect.ts";
export { testApp } from "./started-app.ts";
export type { StartedApp } from "./started-app.ts";
export type { StartOptions, TestTarget } from "./test-app.ts";
export type { TestBroadcast, TestChannel, TestSubscriber } from "./test-channel.ts";
export type { TestMessage, TestPush, TestReply, TestSocket } from "./test-socket.ts";
export { transportApp } from "./transport/app.ts";
export { transportCases } from "./transport/cases.ts";
export type {
  TransportAbility,
  TransportCase,
  TransportConnect,
  TransportEvents,
  TransportRefusal,
  TransportTestClient,
  TransportTests,
} from "./transport/definition.ts";
