/**
 * Measures how CPU-bound work affects the shards: the lag of their loops and the time of an echo,
 * both with the work in tasks and with the work in handlers.
 *
 * Runs on: the main thread of the server, which also runs the clients.
 * Usage:   npm run build && node dist/scripts/micro/tasks/main.js [seconds]
 *
 * The work consists of portions of about 20 ms. Each client that requests work waits for its
 * portion before it requests the next. The number of such clients is one less than the number of
 * CPUs, so tasks use all CPUs but one. The last row has a task thread for every CPU, so that shards
 * depend on the system to prefer them.
 */

import { availableParallelism } from "node:os";
import { setTimeout as pause } from "node:timers/promises";

import type { Channel, Socket } from "phoenix";

import { serve } from "../../../src/index.ts";
import { connectPhoenix, disconnect, join, push } from "../../../test/support/phoenix-client.ts";
import { burn } from "./burn.ts";

const APP = new URL("./app.js", import.meta.url);
const CPUS = availableParallelism();
const SHARDS = 2;
const ECHOERS = 8;
const ECHO_EVERY_MS = 20;
const LAG_EVERY_MS = 100;
const PORTION_MS = 20;
const WARM_UP_MS = 1_000;

const seconds = Number(process.argv[2] ?? 5);

interface Row {
  readonly what: string;
  /** Event that requests the work; undefined for no work. */
  readonly event: string | undefined;
  readonly threads: number;
}

const fewer = Math.max(1, CPUS - 1);
const ROWS: readonly Row[] = [
  { what: "no work", event: undefined, threads: fewer },
  { what: `tasks on ${fewer} of ${CPUS} CPUs`, event: "task", threads: fewer },
  { what: "the same in handlers", event: "handler", threads: fewer },
  { what: `tasks on ${CPUS} of ${CPUS} CPUs`, event: "task", threads: CPUS },
];

const rounds = calibrated();
console.log(
  `${SHARDS} shards, ${ECHOERS} clients that echo every ${ECHO_EVERY_MS} ms, ${seconds} s each`,
);
console.log(`${"".padEnd(24)} portions/s   lag p50  p99  max (ms)   echo p50   p99   max (ms)`);
for (const row of ROWS) await measure(row);

async function measure({ what, event, threads }: Row): Promise<void> {
  const server = await serve({
    app: APP,
    host: "127.0.0.1",
    port: 0,
    shards: SHARDS,
    taskThreads: threads,
    logLevel: "silent",
    secretKeyBase: "measure".repeat(10),
  });
  const sockets: Socket[] = [];
  const channels: Channel[] = [];
  for (let at = 0; at < ECHOERS + threads; at += 1) {
    const socket = await connectPhoenix(server.port);
    sockets.push(socket);
    const channel = socket.channel(`room:${at}`);
    await join(channel);
    channels.push(channel);
  }
  let isOn = true;
  let isCounted = false;
  let portions = 0;
  const echoes: number[] = [];
  const lags: number[] = [];
  const echo = async (channel: Channel): Promise<void> => {
    // Clients start at different times.
    await pause(Math.random() * ECHO_EVERY_MS);
    while (isOn) {
      const sentMs = performance.now();
      await push(channel, "echo", { at: sentMs });
      if (isCounted) echoes.push(performance.now() - sentMs);
      await pause(ECHO_EVERY_MS);
    }
  };
  const work = async (channel: Channel): Promise<void> => {
    while (event !== undefined && isOn) {
      await push(channel, event, { rounds });
      if (isCounted) portions += 1;
    }
  };
  const watch = async (): Promise<void> => {
    while (isOn) {
      if (isCounted) for (const shard of server.stats().shards) lags.push(shard?.loopLagMs ?? 0);
      await pause(LAG_EVERY_MS);
    }
  };
  const all = [watch(), ...channels.map((it, at) => (at < ECHOERS ? echo(it) : work(it)))];
  // Time for the pool's threads to start and for code to be compiled.
  await pause(WARM_UP_MS);
  isCounted = true;
  await pause(seconds * 1_000);
  isOn = false;
  await Promise.all(all);
  console.log(
    `${what.padEnd(24)} ${(portions / seconds).toFixed(0).padStart(10)}   ${columns(lags, 7, 5, 5)}           ${columns(echoes, 8, 6, 6)}`,
  );
  await Promise.all(sockets.map(async (socket) => disconnect(socket)));
  await server.close();
}

function columns(values: number[], ...widths: readonly [number, number, number]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const shares = [0.5, 0.99, 1];
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return shares
    .map((share, n) =>
      at(share)
        .toFixed(1)
        .padStart(widths[n] as number),
    )
    .join("");
}

/** Returns the number of rounds that take the time of a portion once the code is compiled. */
function calibrated(): number {
  const tried = 5_000_000;
  const tries = Array.from({ length: 20 }, () => {
    const startMs = performance.now();
    burn(tried);
    return performance.now() - startMs;
  });
  return Math.round((tried * PORTION_MS) / Math.min(...tries));
}
