/**
 * The actions of a client in a test: connect, join, leave, close. Also closes the app.
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

/** Options for every connection. */
interface IdentifiedOptions {
  /**
   * Path of the socket, required if there are several or the path has variables: `/org/7/socket`.
   */
  readonly path?: string;
  /** The app's `context.data`. Used only by the first connection to an app, which starts it. */
  readonly data?: unknown;
  /** Time limit of assertions on this connection (ms). Default: 100. */
  readonly timeoutMs?: number;
}

/** Options of `socketWith`. */
export interface SocketOptions extends IdentifiedOptions {
  /** The socket's id. Default: none. */
  readonly id?: string | null;
  /** The assigns that `connect` would return. Default: an empty object. */
  readonly assigns?: object;
}

/** Options of `connect`. */
export interface ConnectOptions extends IdentifiedOptions {
  /** Parameters of the connection, for the socket's `connect`. */
  readonly params?: SoloRequest["params"];
  /** Information about the client for the socket's `connect`. Default: a client on this machine. */
  readonly connectInfo?: SoloRequest["connectInfo"];
}

/** Result of a join. */
export interface Joined {
  readonly reply: TestReply;
  readonly channel: TestChannel;
}

const TIMEOUT_MS = 100;
/** Close code of a client that closes its connection. */
const NORMAL_CLOSE = 1000;

/**
 * Connects to an app: runs the socket's `connect` and `id`, without a network.
 *
 * All connections to the same definition share one shard and receive each other's broadcasts. The
 * first connection runs the endpoint's `start`, and `closeApp` runs its `stop`.
 *
 * ```ts
 * const socket = await connect(app, { params: { user_id: "ann" } });
 * assert.equal(socket.id, "users:ann");
 *
 * await assert.rejects(connect(app), { reason: { reason: "who are you?" } });
 * ```
 *
 * @throws SIM_ERR_CONNECT_REFUSED if `connect` refuses the client (`reason` contains its payload)
 *   or throws (`cause` contains the error)
 */
export async function connect(
  target: TestTarget,
  options: ConnectOptions = {},
): Promise<TestSocket> {
  return connectAs(target, options, undefined);
}

/**
 * Connects with the given assigns, as Phoenix's `socket/3` does: without the socket's `connect` and
 * `id`.
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
 * Joins a topic and waits for the reply, regardless of its status.
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
 * Subscribes the test to a topic, so that `assertBroadcast` sees its broadcasts, and joins it.
 *
 * ```ts
 * const { channel } = await subscribeAndJoin(socket, "room:lobby");
 * channel.push("new_msg", { body: "hi" });
 * await assertBroadcast(channel, "new_msg", { body: "hi" });
 * ```
 *
 * @throws AssertionError if the join is refused
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

/** Subscribes the test to a topic of a socket's app. */
export function subscribe(socket: TestSocket, topic: string): TestSubscriber {
  return new TestSubscriber(socket, topic);
}

/**
 * Broadcasts on a channel's topic to everyone except the test, as Phoenix's `broadcast_from` does.
 *
 * `socket.context.broadcast(topic, event, payload)` reaches everyone.
 */
export function broadcastFrom(channel: TestChannel, event: string, payload: unknown = {}): void {
  const { socket, subscriber, topic } = channel;
  socket.app.shard.broadcastFrom(subscriber?.handler, topic, event, payload);
}

/**
 * Leaves a channel, and waits until its `terminate` has settled.
 *
 * @throws AssertionError if `terminate` does not settle in time
 */
export async function leave(channel: TestChannel): Promise<TestReply> {
  const { socket, topic } = channel;
  const reply = await channel.push(EVENT.leave).firstReply();
  await ended(socket, () => channel.hasEnded, `channel ${topic}, after leave,`);
  return reply;
}

/**
 * Closes a connection from the client's side, and waits until `terminate` of its channels has settled.
 *
 * @throws AssertionError if `terminate` does not settle in time
 */
export async function close(socket: TestSocket): Promise<void> {
  socket.connection.lose(NORMAL_CLOSE);
  const hasEnded = (): boolean => [...socket.channels].every((channel) => channel.hasEnded);
  await ended(socket, hasEnded, "all channels of a closed socket");
}

/**
 * Closes an app as `server.close` does: connections are closed with 1012, its transports stop, `terminate` of all
 * channels runs, then the endpoint's `stop`. The next connection starts the app again. Does nothing
 * if the app is not running. Virtual time advances as far as necessary, and then real time is
 * restored.
 *
 * ```ts
 * afterEach(() => closeApp(app));
 * ```
 *
 * @param options - `timeoutMs`: time limit for ending the channels and transports (default: 1 000)
 * @throws AssertionError if the time limit is exceeded; whatever `stop` throws
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
      const message = `all channels and transports of the app must end within ${timeoutMs} (ms)`;
      reject(new AssertionError({ message, operator: "closeApp" }));
    });
  });
  try {
    await Promise.race([app.shard.stop(timeoutMs), late]);
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
  // The channel may exist immediately and end before the reply, or wait for an earlier join.
  const early = socket.connection.channel(topic, joinRef);
  const reply = await push.firstReply();
  const channel = early ?? socket.connection.channel(topic, joinRef);
  if (channel) socket.channels.add(channel);
  const joined = reply.status === STATUS.ok ? channel : undefined;
  return { reply, channel: new TestChannel(socket, topic, joinRef, joined, subscriber) };
}

/** Waits in real time, because ending takes only a turn or two of the event loop. */
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
