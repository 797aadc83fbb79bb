/**
 * Clients of the costs of transports: a crowd that has joined one topic, counts what it hears, and calls.
 *
 * Runs on: a process of its own, which is told what to do by messages.
 */

import { Agent, request, type IncomingMessage } from "node:http";
import { WebSocket } from "ws";

import { TOPIC } from "./costs-app.ts";

/** How a client is connected: by WebSocket, with a session of server-sent events, or with a stream of topics. */
export type Kind = "websocket" | "sse" | "topics";

/** An order to the clients, which is answered with a number. */
export type Order =
  | { readonly do: "join"; readonly kind: Kind; readonly port: number; readonly count: number }
  /** Forgets what was heard so far. Answered at once. */
  | { readonly do: "listen" }
  /** Answered with the number of messages heard since `listen`, once it is this one. */
  | { readonly do: "heard"; readonly expected: number }
  /** Answered with the 99th percentile of the times from sending to hearing (µs). */
  | { readonly do: "p99" }
  /** Each of some clients calls again and again, for a time. Answered with the number of calls. */
  | { readonly do: "call"; readonly callers: number; readonly forMs: number };

/** A client that has joined. */
interface Joined {
  /** Calls, and calls back with the reply. */
  call(done: () => void): void;
}

const CALL = JSON.stringify(["1", "2", TOPIC, "call", { text: "x".repeat(50) }]);
const JOIN = JSON.stringify(["1", "1", TOPIC, "phx_join", {}]);
/** Keeps connections for POSTs, as browsers do. */
const agent = new Agent({ keepAlive: true });

const NOTHING = (): void => {};

const crowd: Joined[] = [];
let count = 0;
let latencies: number[] = [];
let whenHeard = NOTHING;

process.on("message", (order: Order) => {
  void obey(order).then((answer) => process.send?.(answer));
});

async function obey(order: Order): Promise<number> {
  switch (order.do) {
    case "join": {
      const join = { websocket: webSocket, sse: session, topics: topicStream }[order.kind];
      for (let n = 0; n < order.count; n += 1) crowd.push(await join(order.port));
      return crowd.length;
    }
    case "listen": {
      count = 0;
      latencies = [];
      return 0;
    }
    case "heard": {
      await new Promise<void>((resolve) => {
        whenHeard = () => {
          if (count >= order.expected) resolve();
        };
        whenHeard();
      });
      return count;
    }
    case "p99": {
      latencies.sort((one, other) => one - other);
      return Math.round(1_000 * (latencies[Math.floor(latencies.length * 0.99)] ?? 0));
    }
    default:
      return callAll(order.callers, order.forMs);
  }
}

/** Notes a broadcast. The time at which it was sent is in its text: one of a hundred is looked at. */
function heard(text: string): void {
  count += 1;
  if (count % 100 === 0) {
    const sentMs = Number(/"atMs":(\d+(?:\.\d+)?)/.exec(text)?.[1]);
    latencies.push(performance.timeOrigin + performance.now() - sentMs);
  }
  whenHeard();
}

async function callAll(callers: number, forMs: number): Promise<number> {
  const untilMs = performance.now() + forMs;
  let calls = 0;
  const callOn = async (client: Joined): Promise<void> => {
    while (performance.now() < untilMs) {
      await new Promise<void>((resolve) => {
        client.call(resolve);
      });
      calls += 1;
    }
  };
  await Promise.all(crowd.slice(0, callers).map(callOn));
  return calls;
}

// -- the transports ------------------------------------------------------------------------------

async function webSocket(port: number): Promise<Joined> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`, {
    perMessageDeflate: false,
  });
  let replied = NOTHING;
  socket.on("message", (data: Buffer) => {
    const text = data.toString();
    if (text.includes('"said"')) heard(text);
    else if (text.includes('"phx_reply"')) replied();
  });
  await new Promise<void>((resolve, reject) => {
    replied = resolve;
    socket.on("error", reject);
    socket.on("open", () => socket.send(JOIN));
  });
  return {
    call(done) {
      replied = done;
      socket.send(CALL);
    },
  };
}

async function session(port: number): Promise<Joined> {
  let token = "";
  let opened = NOTHING;
  let replied = NOTHING;
  const isOpen = new Promise<void>((resolve) => {
    opened = resolve;
  });
  onEvents(await opening(port, "/socket/sse?vsn=2.0.0"), (text) => {
    if (text.includes('"said"')) heard(text);
    else if (text.includes('"phx_reply"')) replied();
    else if (token === "" && text.includes('"session"')) {
      token = /"session":"([^"]+)"/.exec(text)?.[1] ?? "";
      opened();
    }
  });
  await isOpen;
  const post = (body: string): void => {
    const headers = { "x-simurgh-session": token, "content-type": "application/x-ndjson" };
    const options = {
      port,
      host: "127.0.0.1",
      path: "/socket/sse",
      method: "POST",
      headers,
      agent,
    };
    const posting = request(options, (response) => {
      if (response.statusCode !== 204)
        throw new Error(`POST must get 204, got ${response.statusCode}`);
      response.resume();
    });
    posting.end(body);
  };
  await new Promise<void>((resolve) => {
    replied = resolve;
    post(JOIN);
  });
  return {
    call(done) {
      replied = done;
      post(CALL);
    },
  };
}

async function topicStream(port: number): Promise<Joined> {
  const response = await opening(port, `/socket/sse?vsn=2.0.0&topic=${TOPIC}`);
  await new Promise<void>((resolve) => {
    onEvents(response, (text) => {
      if (text.includes('"said"')) heard(text);
      else if (text.includes('"phx_reply"')) resolve();
    });
  });
  return {
    call() {
      throw new Error("a stream of topics must not be asked to call");
    },
  };
}

async function opening(port: number, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ port, host: "127.0.0.1", path, agent: false }, resolve).on("error", reject).end();
  });
}

/** Calls a function with the text of each event. */
function onEvents(response: IncomingMessage, take: (text: string) => void): void {
  if (response.statusCode !== 200) throw new Error(`GET must get 200, got ${response.statusCode}`);
  let text = "";
  response.setEncoding("utf8").on("data", (part: string) => {
    text += part;
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) take(event);
  });
}
