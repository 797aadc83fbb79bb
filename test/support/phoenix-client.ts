/**
 * The official `phoenix` package, unchanged, on `ws`, with promises instead of its callbacks.
 * One exception: neither unanswered pushes, which time out after 10 s, nor reconnects keep the process alive. A test that
 * fails before it has disconnected its sockets would not end otherwise.
 *
 * Runs on: the main thread of the tests.
 */
import { Channel, Socket } from "phoenix";
import type { Push, SocketOptions } from "phoenix";
import { WebSocket } from "ws";
import { within } from "./deadline.ts";

const pushOfClient = Reflect.get(Channel.prototype, "push") as (...given: unknown[]) => Push;
Channel.prototype.push = function pushAndLetGo(...given): Push {
  const sent = pushOfClient.apply(this, given);
  sent.timeoutTimer?.unref();
  return sent;
};

/** The client's timer that connects again. */
interface ReconnectTimer {
  timer: NodeJS.Timeout;
  scheduleTimeout(): void;
}

function letReconnectsGo(socket: Socket): void {
  const reconnect = Reflect.get(socket, "reconnectTimer") as ReconnectTimer;
  const schedule = reconnect.scheduleTimeout.bind(reconnect);
  reconnect.scheduleTimeout = () => {
    schedule();
    reconnect.timer.unref();
  };
}

/**
 * Connects a socket of the official client. It retries quickly, so that tests need not wait.
 *
 * @param options - of the socket; its own LongPoll as `transport` needs only the `fetch` of Node.js
 * @param scheme - wss if the server has a certificate
 */
export async function connectPhoenix(
  port: number,
  params: NonNullable<SocketOptions["params"]> = {},
  options: Partial<SocketOptions> = {},
  scheme: "ws" | "wss" = "ws",
  mount = "/socket",
): Promise<Socket> {
  const socket = new Socket(`${scheme}://127.0.0.1:${port}${mount}`, {
    transport: WebSocket,
    params,
    reconnectAfterMs: () => 20,
    rejoinAfterMs: () => 20,
    ...options,
  });
  letReconnectsGo(socket);
  const opened = new Promise<void>((resolve) => socket.onOpen(resolve));
  socket.connect();
  await within(opened, "the official client's connection");
  return socket;
}

/** Joins, and returns the response. */
export function join(channel: Channel): Promise<unknown> {
  return answered(channel.join(), `the join of ${channel.topic}`);
}

/** Pushes an event, and returns the response of its reply. */
export function push(channel: Channel, event: string, payload: object): Promise<unknown> {
  return answered(channel.push(event, payload), `${event} on ${channel.topic}`);
}

/** Leaves, and waits for the reply. */
export function leave(channel: Channel): Promise<unknown> {
  return answered(channel.leave(), `the leave of ${channel.topic}`);
}

/** Waits for the next event of this name on a channel, and returns its payload. */
export function received(channel: Channel, event: string): Promise<unknown> {
  const arrived = new Promise<unknown>((resolve) => {
    const ref = channel.on(event, (payload) => {
      channel.off(event, ref);
      resolve(payload);
    });
  });
  return within(arrived, `${event} on ${channel.topic}`);
}

/** Disconnects, and waits until the connection is closed. */
export async function disconnect(socket: Socket): Promise<void> {
  const closed = new Promise<void>((resolve) => socket.disconnect(resolve));
  await within(closed, "the official client's close");
}

/** Waits for the ok of a push. Rejects at an error or the client's own timeout. */
function answered(sent: Push, what: string): Promise<unknown> {
  const answer = new Promise<unknown>((resolve, reject) => {
    const refuse = (status: string) => (response: unknown) =>
      reject(new Error(`${what} was answered with ${status} ${JSON.stringify(response)}`));
    sent
      .receive("ok", resolve)
      .receive("error", refuse("error"))
      .receive("timeout", refuse("timeout"));
  });
  return within(answer, `an answer to ${what}`);
}
