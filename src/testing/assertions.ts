/**
 * Assertions about what a client receives and does not receive.
 *
 * Each assertion waits: `assert…` until the message arrives, `refute…` for the whole time. A
 * message that was found is removed, so the next assertion does not see it again. Under virtual
 * time, each assertion lets its `timeoutMs` pass, or no time if it has none.
 *
 * Runs on: the thread of a test.
 */

import { EVENT } from "../protocol/reserved.ts";
import { fail, shown, shownPattern } from "./failure.ts";
import { matches } from "./matching.ts";
import { REAL_TIME, type Wait } from "./real-time.ts";
import type { TestBroadcast, TestChannel, TestSubscriber } from "./test-channel.ts";
import type { TestMessage, TestPush, TestReply, TestSocket } from "./test-socket.ts";

/** Time limit of an assertion. */
export interface WaitOptions {
  /** Time (ms). Default: the socket's `timeoutMs`; none if the app's time is virtual. */
  readonly timeoutMs?: number;
}

/**
 * Asserts that a push receives a reply.
 *
 * ```ts
 * await assertReply(channel.push("echo", { n: 1 }), "ok", { n: 1 });
 * ```
 *
 * @param pattern - pattern for the response; see `assertPush`
 * @returns the response
 */
export async function assertReply(
  push: TestPush,
  status: string,
  pattern?: unknown,
  options?: WaitOptions,
): Promise<unknown> {
  const wait = waitOf(push.socket, options);
  const reply = await takeReply(push, status, pattern, wait);
  if (reply) return reply.response;
  const got = push.replies.all;
  return fail(push.socket, {
    operator: "assertReply",
    message: `"${push.event}" to ${push.topic} must be replied to with ${status}${shownPattern(pattern)} ${shownWait(push.socket, wait)}, got ${got.length === 0 ? "no reply" : shown(got)}`,
    actual: got.at(-1),
    expected: { status, response: pattern },
  });
}

/** Asserts that a push receives no such reply. */
export async function refuteReply(
  push: TestPush,
  status: string,
  pattern?: unknown,
  options?: WaitOptions,
): Promise<void> {
  const reply = await takeReply(push, status, pattern, refutingWaitOf(push.socket, options));
  if (!reply) return;
  fail(push.socket, {
    operator: "refuteReply",
    message: `"${push.event}" to ${push.topic} must not be replied to with ${status}${shownPattern(pattern)}, got ${shown(reply.response)}`,
    actual: reply,
  });
}

/**
 * Asserts that the client receives a message: pushed by its channel, or broadcast on the topic.
 *
 * ```ts
 * await assertPush(channel, "new_msg", { body: "hi", from: (name) => name !== "ann" });
 * ```
 *
 * @param pattern - pattern for the payload. Keys of objects may be omitted. A function is called
 *   with the corresponding value and must return true; a regular expression must match a string
 * @returns the payload
 */
export async function assertPush(
  at: TestSocket | TestChannel,
  event: string,
  pattern?: unknown,
  options?: WaitOptions,
): Promise<unknown> {
  const wait = waitOf(socketOf(at), options);
  const message = await takePush(at, event, pattern, wait);
  if (message) return message.payload;
  return fail(socketOf(at), {
    operator: "assertPush",
    message: `"${event}"${shownPattern(pattern)} must arrive${placeOf(at)} ${shownWait(socketOf(at), wait)}`,
    actual: lastPayload(socketOf(at).inbox.all, event),
    expected: pattern,
  });
}

/** Asserts that the client receives no such message. */
export async function refutePush(
  at: TestSocket | TestChannel,
  event: string,
  pattern?: unknown,
  options?: WaitOptions,
): Promise<void> {
  const message = await takePush(at, event, pattern, refutingWaitOf(socketOf(at), options));
  if (!message) return;
  fail(socketOf(at), {
    operator: "refutePush",
    message: `"${event}"${shownPattern(pattern)} must not arrive${placeOf(at)}, got ${shown(message.payload)}`,
    actual: message.payload,
  });
}

/**
 * Asserts that there is a broadcast on a topic that the test is subscribed to.
 *
 * ```ts
 * channel.push("new_msg", { body: "hi" });
 * await assertBroadcast(channel, "new_msg", { body: "hi" });
 * ```
 *
 * @param at - the result of `subscribe`, or the channel of `subscribeAndJoin`
 * @param pattern - as for `assertPush`
 * @returns the payload
 */
export async function assertBroadcast(
  at: TestSubscriber | TestChannel,
  event: string,
  pattern?: unknown,
  options?: WaitOptions,
): Promise<unknown> {
  const subscriber = subscriberOf(at);
  const wait = waitOf(subscriber.socket, options);
  const broadcast = await takeBroadcast(subscriber, event, pattern, wait);
  if (broadcast) return broadcast.payload;
  const all = subscriber.broadcasts.all.map((one) => `${one.event} ${shown(one.payload)}`);
  return fail(subscriber.socket, {
    operator: "assertBroadcast",
    message: `"${event}"${shownPattern(pattern)} must be broadcast on ${subscriber.topic} ${shownWait(subscriber.socket, wait)}, got ${all.length === 0 ? "nothing" : all.join("; ")}`,
    actual: lastPayload(subscriber.broadcasts.all, event),
    expected: pattern,
  });
}

/** Asserts that there is no such broadcast. */
export async function refuteBroadcast(
  at: TestSubscriber | TestChannel,
  event: string,
  pattern?: unknown,
  options?: WaitOptions,
): Promise<void> {
  const subscriber = subscriberOf(at);
  const wait = refutingWaitOf(subscriber.socket, options);
  const broadcast = await takeBroadcast(subscriber, event, pattern, wait);
  if (!broadcast) return;
  fail(subscriber.socket, {
    operator: "refuteBroadcast",
    message: `"${event}"${shownPattern(pattern)} must not be broadcast on ${subscriber.topic}, got ${shown(broadcast.payload)}`,
    actual: broadcast.payload,
  });
}

/**
 * Asserts that the server closes a channel: the client receives `phx_close`, and does not rejoin.
 */
export async function assertClosed(channel: TestChannel, options?: WaitOptions): Promise<void> {
  await assertEnd(channel, EVENT.close, undefined, { operator: "assertClosed", options });
}

/**
 * Asserts that a channel crashes: the client receives `phx_error`, and rejoins.
 *
 * @param pattern - pattern for the payload, such as `{ reason: "mailbox full" }`
 */
export async function assertCrashed(
  channel: TestChannel,
  pattern?: unknown,
  options?: WaitOptions,
): Promise<void> {
  await assertEnd(channel, EVENT.error, pattern, { operator: "assertCrashed", options });
}

/**
 * Asserts that the server closes the connection.
 *
 * ```ts
 * socket.context.disconnect("users:ann");
 * await assertDisconnected(socket, 1001);
 * ```
 *
 * @param code - close code. Default: any
 */
export async function assertDisconnected(
  socket: TestSocket,
  code?: number,
  options?: WaitOptions,
): Promise<void> {
  const wait = waitOf(socket, options);
  const waiting = socket.app.time.waiting(wait);
  const closed = await socket.closes.take((one) => one === (code ?? one), waiting);
  if (closed !== undefined) return;
  const [actual] = socket.closes.all;
  const wanted = code === undefined ? "" : ` with ${code}`;
  fail(socket, {
    operator: "assertDisconnected",
    message: `the server must close the connection${wanted} ${shownWait(socket, wait)}, got ${actual ?? "no close"}`,
    actual,
    expected: code,
  });
}

async function assertEnd(
  channel: TestChannel,
  event: string,
  pattern: unknown,
  { operator, options }: { readonly operator: string; readonly options: WaitOptions | undefined },
): Promise<void> {
  const wait = waitOf(channel.socket, options);
  if (await takePush(channel, event, pattern, wait)) return;
  fail(channel.socket, {
    operator,
    message: `${channel.topic} must end with ${event}${shownPattern(pattern)} ${shownWait(channel.socket, wait)}`,
    expected: pattern,
  });
}

async function takePush(
  at: TestSocket | TestChannel,
  event: string,
  pattern: unknown,
  wait: Wait,
): Promise<TestMessage | undefined> {
  const { inbox, app } = socketOf(at);
  return inbox.take(
    (message) => isFor(at, message) && message.event === event && matches(message.payload, pattern),
    app.time.waiting(wait),
  );
}

async function takeReply(
  push: TestPush,
  status: string,
  pattern: unknown,
  wait: Wait,
): Promise<TestReply | undefined> {
  return push.replies.take(
    (one) => one.status === status && matches(one.response, pattern),
    push.socket.app.time.waiting(wait),
  );
}

/**
 * Reports whether a message is for a channel. As in a client, messages for earlier joins are
 * ignored.
 */
function isFor(at: TestSocket | TestChannel, { topic, joinRef }: TestMessage): boolean {
  if (!("joinRef" in at)) return true;
  return topic === at.topic && (joinRef === null || joinRef === at.joinRef);
}

async function takeBroadcast(
  { broadcasts, socket }: TestSubscriber,
  event: string,
  pattern: unknown,
  wait: Wait,
): Promise<TestBroadcast | undefined> {
  return broadcasts.take(
    (one) => one.event === event && matches(one.payload, pattern),
    socket.app.time.waiting(wait),
  );
}

function waitOf({ timeoutMs: patienceMs }: TestSocket, options: WaitOptions | undefined): Wait {
  return { timeoutMs: options?.timeoutMs, patienceMs };
}

/** Under virtual time, `refute…` assertions do not wait in real time. */
function refutingWaitOf({ app, timeoutMs }: TestSocket, options: WaitOptions | undefined): Wait {
  const patienceMs = app.time === REAL_TIME ? timeoutMs : 0;
  return { timeoutMs: options?.timeoutMs, patienceMs };
}

function shownWait({ app }: TestSocket, wait: Wait): string {
  return app.time.shown(wait);
}

function subscriberOf(at: TestSubscriber | TestChannel): TestSubscriber {
  if (!("joinRef" in at)) return at;
  if (at.subscriber) return at.subscriber;
  return fail(at.socket, {
    operator: "subscribed",
    message: `the test must be subscribed to ${at.topic}: join it with subscribeAndJoin, or subscribe to it`,
  });
}

function socketOf(at: TestSocket | TestChannel): TestSocket {
  return "joinRef" in at ? at.socket : at;
}

function placeOf(at: TestSocket | TestChannel): string {
  return "joinRef" in at ? ` on ${at.topic}` : "";
}

/** Returns the last payload of an event, so that the test runner can show the difference. */
function lastPayload(
  all: readonly { readonly event: string; readonly payload: unknown }[],
  event: string,
): unknown {
  return all.filter((one) => one.event === event).at(-1)?.payload;
}
