/**
 * Measures clients of one topic that come back at once: 10 000 of them join a topic with a history, leave, miss
 * 50 messages, and connect again in the same moment. Prints the time until all have got all, and how long the event
 * loops of the shards were held up meanwhile.
 *
 * Runs on: the main thread with the server, whose shards and keeper are threads of this process; a second process
 *          with the clients, which is told what to do by messages.
 * Usage:   npm run build && node dist/scripts/micro/history/return.js [number of clients]
 */

import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { BroadcastChannel } from "node:worker_threads";
import { WebSocket } from "ws";

import { serve } from "../../../src/index.ts";

const MISSED = 50;
const TOPIC = "kept:1";

/** An order to the clients. */
interface Order {
  readonly kind: "join" | "leave" | "return";
  readonly port: number;
  readonly count: number;
}

const [, , first = "10000", role] = process.argv;
if (role === "clients") process.on("message", (order: Order) => void obey(order));
else await measure(Number(first));

async function measure(count: number): Promise<void> {
  const server = await serve({
    app: new URL("return-app.js", import.meta.url),
    host: "127.0.0.1",
    port: 0,
    shards: 2,
    logLevel: "error",
    secretKeyBase: "nobody has a secret in a measurement: ".repeat(2),
  });
  const clients = fork(fileURLToPath(import.meta.url), [first, "clients"]);
  const { port } = server;
  console.log(
    `${count} clients joined in ${await ordered(clients, { kind: "join", port, count })} ms`,
  );
  await ordered(clients, { kind: "leave", port, count });
  const body = "x".repeat(100);
  for (let n = 1; n <= MISSED; n += 1) await server.publish(TOPIC, "said", { n, body });
  const lags = new BroadcastChannel("history-return");
  lags.postMessage("begin");
  const tookMs = await ordered(clients, { kind: "return", port, count });
  console.log(`all have the ${MISSED} messages that they missed after ${tookMs} ms`);
  let shards = 2;
  const told = new Promise<void>((resolve) => {
    lags.addEventListener("message", (event) => {
      const { shard, p99Ms, maxMs } = (event as unknown as { data: Record<string, number> }).data;
      console.log(`  loop of shard ${shard} held up: p99 ${p99Ms} ms, max ${maxMs} ms`);
      shards -= 1;
      if (shards === 0) resolve();
    });
  });
  lags.postMessage("tell");
  await told;
  lags.close();
  clients.kill();
  await server.close();
}

async function ordered(clients: ChildProcess, order: Order): Promise<number> {
  clients.send(order);
  const [tookMs] = (await once(clients, "message")) as [number];
  return tookMs;
}

// -- the clients ---------------------------------------------------------------------------------

interface Returning {
  socket: WebSocket | undefined;
  history: { readonly epoch: string; readonly offset: string } | null;
}

const crowd: Returning[] = [];

async function obey({ kind, port, count }: Order): Promise<void> {
  while (crowd.length < count) crowd.push({ socket: undefined, history: null });
  const startedMs = performance.now();
  const wait =
    kind === "leave" ? left : async (one: Returning) => joined(one, port, kind === "return");
  await Promise.all(crowd.map(wait));
  process.send?.(Math.round(performance.now() - startedMs));
}

async function left({ socket }: Returning): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    socket?.on("close", () => resolve());
  });
  socket?.terminate();
  return closed;
}

/** Connects and joins. Resolves when the client has its position, and what it missed, in order. */
async function joined(one: Returning, port: number, hasMissed: boolean): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`);
  one.socket = socket;
  socket.on("open", () => {
    socket.send(JSON.stringify(["1", "1", TOPIC, "phx_join", { history: one.history }]));
  });
  return new Promise((resolve, reject) => {
    let expected = 1;
    socket.on("error", reject);
    socket.on("message", (data: Buffer) => {
      const [, , , event, payload] = JSON.parse(data.toString()) as [
        null,
        string,
        string,
        string,
        { n: number; response: { history: { epoch: string; offset: string; recovered: boolean } } },
      ];
      if (event === "phx_reply") {
        const { epoch, offset, recovered } = payload.response.history;
        if (!recovered) reject(new Error("a client that returns must be recovered"));
        one.history = { epoch, offset };
        if (!hasMissed) resolve();
        return;
      }
      if (payload.n !== expected)
        reject(new Error(`message ${expected} must be next, got ${payload.n}`));
      expected += 1;
      if (expected > MISSED) resolve();
    });
  });
}
