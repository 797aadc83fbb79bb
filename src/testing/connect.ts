/**
 * What a test's client does: connect, join, leave, close; and the end of the app.
 *
 * Runs on: the thread of a test.
 */

import { AssertionError } from "node:assert";

import { makeError, type SimurghError } from "../errors.ts";
import { EVENT, REASON, STATUS } from "../protocol/reserved.ts";
import type { SoloDecision, SoloRequest } from "../solo/solo-shard.ts";
import { fail, shown } from "./failure.ts";
import { holdsWithin } from "./real-time.ts";
import { appOf, takeApp, type TestTarget } from "./test-app.ts";
import { TestChannel, TestSubscriber } from "./test-channel.ts";
import { TestSocket, type TestReply } from "./test-socket.ts";

/** How a test connects, whoever decides. */
interface IdentifiedOptions {
  /** Path of the socket, where the endpoint has several or a path has variables: `/org/7/socket`. */
  readonly path?: string;
  /** `context.data` of the app. Only the first connection of an app, which starts it, gives it. */
  readonly data?: unknown;
  /** How long assertions on the connection wait (ms); 100 without. */
  readonly timeoutMs?: number;
}

/** How a test connects as somebody. */
export interface SocketOptions extends IdentifiedOptions {
  /** The socket's id; none without. */
  readonly id?: string | null;
  /** What `connect` would have given; an empty object without. */
  readonly assigns?: object;
}

/** How a test connects. */
export interface ConnectOptions extends IdentifiedOptions {
  /** Parameters of the connection, as `connect` gets them. */
  readonly params?: SoloRequest["params"];
  /** What `connect` is told of the client; the rest is that of a client on this machine. */
  readonly connectInfo?: SoloRequest["connectInfo"];
}

/** What a join gave. */
export interface Joined {
  readonly reply: TestReply;
  readonly channel: TestChannel;
}

const TIMEOUT_MS = 100;
/** A client's own close. */
const NORMAL_CLOSE = 1000;

/**
 * Connects: runs the socket's `connect` and `id`, and nothing of a network.
 *
 * All connections to one definition are in one shard, and see each other's broadcasts. The first
 * runs `start` of the endpoint; `closeApp` runs its `stop`.
 *
 * ```ts
 * const socket = await connect(app, { params: { user_id: "ann" } });
 * assert.equal(socket.id, "users:ann");
 *
 * await assert.rejects(connect(app), { reason: { reason: "who are you?" } });
 * ```
 *
 * @throws SIM_ERR_CONNECT_REFUSED where `connect` refuses, with what as `reason`, or throws, with
 *   what as `cause`
 */
export async function connect(
  target: TestTarget,
  options: ConnectOptions = {},
): Promise<TestSocket> {
  return connectAs(target, options, undefined);
}

/**
 * Connects as somebody, as Phoenix's `socket/3` does: the socket's `connect` and `id` are not asked.
 *
 * ```ts
 * const admin = await socketWith(app, { id: "users:ann", assigns: { name: "ann", isAdmin: true } });
 * ```
 */
export async function socketWith(
  target: TestTarget,
  options: SocketOptions = {},
): Promise<TestSocket> {
  const { id = null, assigns = {} } = options;
  return connectAs(target, options, { id, assigns });
}

/**
 * Joins a topic, and waits for the answer, whatever it is.
 *
 * ```ts
 * const { reply } = await join(socket, "room:secret", { key: "wrong" });
 * assert.deepEqual(reply, { status: "error", response: { reason: "unauthorized" } });
 * ```
 */
export async function join(
  socket: TestSocket,
  topic: string,
  payload: unknown = {},
): Promise<Joined> {
  return joinAs(socket, topic, payload, undefined);
}

/**
 * Subscribes the test to a topic, so that `assertBroadcast` sees what is broadcast there, and joins.
 *
 * ```ts
 * const { channel } = await subscribeAndJoin(socket, "room:lobby");
 * channel.push("new_msg", { body: "hi" });
 * await assertBroadcast(channel, "new_msg", { body: "hi" });
 * ```
 *
 * @throws AssertionError where the join is refused
 */
export async function subscribeAndJoin(
  socket: TestSocket,
  topic: string,
  payload: unknown = {},
): Promise<Joined> {
  const joined = await joinAs(socket, topic, payload, subscribe(socket, topic));
  const { reply } = joined;
  if (reply.status === STATUS.ok) return joined;
  return fail(socket, {
    operator: "subscribeAndJoin",
    message: `the join of ${topic} must be accepted, got ${reply.status} ${shown(reply.response)}`,
    actual: reply.status,
    expected: STATUS.ok,
  });
}

/** Subscribes the test to a topic, in the shard of a socket. */
export function subscribe(socket: TestSocket, topic: string): TestSubscriber {
  return new TestSubscriber(socket, topic);
}

/**
 * Broadcasts on a channel's topic to everyone but the test, as Phoenix's `broadcast_from` does.
 *
 * `socket.context.broadcast(topic, event, payload)` leaves out nobody.
 */
export function broadcastFrom(channel: TestChannel, event: string, payload: unknown = {}): void {
  const { socket, subscriber, topic } = channel;
  socket.app.shard.broadcastFrom(subscriber?.handler, topic, event, payload);
}

/**
 * Leaves a channel, and waits until nothing of it is left: its `terminate` has settled.
 *
 * @throws AssertionError where it does not end in time
 */
export async function leave(channel: TestChannel): Promise<TestReply> {
  const { socket, topic } = channel;
  const reply = await channel.push(EVENT.leave).firstReply();
  await ended(socket, () => channel.hasEnded, `${topic}, which was left,`);
  return reply;
}

/**
 * Closes a connection from the client's side, and waits until nothing of its channels is left.
 *
 * @throws AssertionError where they do not end in time
 */
export async function close(socket: TestSocket): Promise<void> {
  socket.connection.lose(NORMAL_CLOSE);
  const hasEnded = (): boolean => [...socket.channels].every((channel) => channel.hasEnded);
  await ended(socket, hasEnded, "all channels of a closed socket");
}

/**
 * Ends an app as the close of a server does: its connections see 1012, its channels `terminate`,
 * and its `stop` runs. The next connection starts it anew. Nothing happens where there was none.
 * Where its time is virtual, as much passes as they need, and then the process has its own again.
 *
 * ```ts
 * afterEach(() => closeApp(app));
 * ```
 *
 * @param options - `timeoutMs`: how long its channels may take (1 000 without)
 * @throws AssertionError where they take longer; what `stop` throws
 */
export async function closeApp(
  target: TestTarget,
  { timeoutMs = 1_000 }: { readonly timeoutMs?: number } = {},
): Promise<void> {
  const app = await takeApp(target);
  if (!app) return;
  let cancel: (() => void) | undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = app.time.waiting({ timeoutMs, patienceMs: timeoutMs })(() => {
      const message = `all channels of the app must end within ${timeoutMs} (ms)`;
      reject(new AssertionError({ message, operator: "closeApp" }));
    });
  });
  try {
    await Promise.race([app.shard.stop(), late]);
  } finally {
    cancel?.();
    app.time.end();
  }
}

async function connectAs(
  target: TestTarget,
  { params = {}, connectInfo = {}, path, data, timeoutMs = TIMEOUT_MS }: ConnectOptions,
  identity: SoloRequest["identity"],
): Promise<TestSocket> {
  const app = await appOf(target, data);
  const socket = new TestSocket(app, timeoutMs);
  const decision = await app.shard.connect({ path, params, connectInfo, identity }, socket);
  if (decision.result !== "ok") throw refusal(decision, socket);
  socket.attach(decision.connection);
  return socket;
}

async function joinAs(
  socket: TestSocket,
  topic: string,
  payload: unknown,
  subscriber: TestSubscriber | undefined,
): Promise<Joined> {
  const joinRef = socket.takeRef();
  const push = socket.push(joinRef, topic, EVENT.join, payload);
  // It may be made at once and be gone when the answer is seen, or wait for an earlier one's turn.
  const early = socket.connection.channel(topic, joinRef);
  const reply = await push.firstReply();
  const channel = early ?? socket.connection.channel(topic, joinRef);
  if (channel) socket.channels.add(channel);
  const isJoined = reply.status === STATUS.ok;
  const joined = { socket, topic, joinRef, subscriber, channel: isJoined ? channel : undefined };
  return { reply, channel: new TestChannel(joined) };
}

/** Waits in the machine's time, as what ends does so in a turn or two. */
async function ended(socket: TestSocket, claim: () => boolean, what: string): Promise<void> {
  const { timeoutMs } = socket;
  if (await holdsWithin(timeoutMs, claim)) return;
  fail(socket, { operator: "end", message: `${what} must end within ${timeoutMs} (ms)` });
}

function refusal(
  decision: Exclude<SoloDecision, { readonly result: "ok" }>,
  { log }: TestSocket,
): SimurghError & { readonly reason: unknown } {
  const reason = reasonOf(decision);
  const logged = log.at(-1);
  const what = logged ? `${logged.text} ${shown(logged.error)}` : `error(${shown(reason)})`;
  const cause = logged?.error;
  const error = makeError(
    "SIM_ERR_CONNECT_REFUSED",
    `connect must accept, got ${what}`,
    cause === undefined ? undefined : { cause },
  );
  return Object.assign(error, { reason });
}

function reasonOf(decision: Exclude<SoloDecision, { readonly result: "ok" }>): unknown {
  if (decision.result === "refused") return decision.reason;
  if (decision.result !== "limited") return undefined;
  return { reason: REASON.rateLimited, retry_after: decision.retryAfterMs };
}
