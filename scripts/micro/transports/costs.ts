/**
 * Measures what a message costs on each transport: the CPU of the server for a broadcast to one client, for a call of
 * a client with its reply, and the memory of a client that has joined and is idle.
 *
 * Runs on: the main thread, which measures; a process with the server, which has one shard; one with the clients; and
 *          PostgreSQL, if it is installed.
 * Usage:   npm run build && node dist/scripts/micro/transports/costs.js [seconds] [idle clients]
 */

import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

import { Client } from "pg";

import { noPostgres, TestPostgres } from "../../../test/support/postgres.ts";
import { readMemory, readThreads } from "../../load/threads.ts";
import type { Kind } from "./costs-clients.ts";
import { RATE, TOPIC } from "./costs-app.ts";
import { Parts } from "./costs-parts.ts";

const CLIENTS = 200;
/** Time without work before the memory is read (ms). */
const COLLECTED_MS = 2_000;
const CALLERS = 50;
const ROWS = 20_000;
const ROWS_AT_ONCE = 100;
const NAMES: Readonly<Record<Kind, string>> = {
  websocket: "WebSocket",
  sse: "server-sent events and POST",
  topics: "server-sent events, only topics",
};

const [, , seconds = "10", idle = "2000"] = process.argv;
await measureAll(Number(seconds), Number(idle));

async function measureAll(forSeconds: number, idleClients: number): Promise<void> {
  console.log(
    "| Transport | broadcast to one client (µs) | p99 (ms) | call and reply (µs) | idle client (KB) |",
  );
  console.log("| --- | --- | --- | --- | --- |");
  for (const kind of ["websocket", "sse", "topics"] as const) {
    const { deliveryUs, p99Ms, callUs } = await costOf(kind, forSeconds);
    const idleKb = await memoryOf(kind, idleClients);
    const calls = callUs === undefined ? "–" : callUs.toFixed(1);
    console.log(
      `| ${NAMES[kind]} | ${deliveryUs.toFixed(2)} | ${p99Ms.toFixed(1)} | ${calls} | ${idleKb.toFixed(1)} |`,
    );
  }
  if (noPostgres) console.log(`PostgreSQL was left out: ${noPostgres}`);
  else await measurePostgres();
}

async function costOf(
  kind: Kind,
  forSeconds: number,
): Promise<{ deliveryUs: number; p99Ms: number; callUs: number | undefined }> {
  await using parts = await Parts.start();
  await parts.ordered({ do: "join", kind, port: parts.port, count: CLIENTS });
  await parts.ordered({ do: "listen" });
  const broadcasts = forSeconds * RATE;
  const expected = broadcasts * CLIENTS;
  const before = cpuOf(parts.server);
  parts.server.send(broadcasts);
  await parts.ordered({ do: "heard", expected });
  const deliveryUs = (cpuOf(parts.server) - before) / 1_000 / expected;
  const p99Ms = (await parts.ordered({ do: "p99" })) / 1_000;
  if (kind === "topics") return { deliveryUs, p99Ms, callUs: undefined };
  const beforeCalls = cpuOf(parts.server);
  const calls = await parts.ordered({ do: "call", callers: CALLERS, forMs: forSeconds * 1_000 });
  return { deliveryUs, p99Ms, callUs: (cpuOf(parts.server) - beforeCalls) / 1_000 / calls };
}

/** Growth of the server's memory for each client (KB), the buffers of the kernel not included. */
async function memoryOf(kind: Kind, count: number): Promise<number> {
  await using parts = await Parts.start();
  await parts.ordered({ do: "join", kind, port: parts.port, count: 200 });
  await sleep(COLLECTED_MS);
  const before = memoryIn(parts.server);
  await parts.ordered({ do: "join", kind, port: parts.port, count });
  await sleep(COLLECTED_MS);
  return (memoryIn(parts.server) - before) / count / 1_000;
}

async function measurePostgres(): Promise<void> {
  const postgres = await TestPostgres.installed();
  try {
    await using parts = await Parts.start({ TRANSPORT_COSTS_DATABASE: postgres.url() });
    const program = new Client({ connectionString: postgres.url() });
    await program.connect();
    const opened = await program.query<{ id: string }>("SELECT simurgh.open('/socket') AS id");
    const id = opened.rows[0]?.id ?? "";
    await send(program, id, ["phx_join"]);
    await taken(program, id, 1);
    const before = cpuOf(parts.server);
    const beforeDatabase = await cpuOfDatabase(program);
    const startedMs = performance.now();
    for (let sent = 0; sent < ROWS; sent += ROWS_AT_ONCE) {
      await send(program, id, Array<string>(ROWS_AT_ONCE).fill("call"));
      await taken(program, id, ROWS_AT_ONCE);
    }
    const tookMs = performance.now() - startedMs;
    const serverUs = (cpuOf(parts.server) - before) / 1_000 / ROWS;
    const databaseUs = ((await cpuOfDatabase(program)) - beforeDatabase) / 1_000 / ROWS;
    console.log(
      `| PostgreSQL | – | – | ${serverUs.toFixed(1)}, and ${databaseUs.toFixed(1)} of the database | – |`,
    );
    console.log(
      `\n${ROWS} calls of one session by rows, ${ROWS_AT_ONCE} at once: ${Math.round((ROWS / tookMs) * 1_000)} a second`,
    );
    await program.end();
  } finally {
    await postgres.remove();
  }
}

async function send(program: Client, id: string, events: readonly string[]): Promise<void> {
  await program.query(
    `INSERT INTO simurgh.inbox (session, join_ref, ref, topic, event, payload)
     SELECT $1, '1', n::text, '${TOPIC}', event, $3 FROM unnest($2::text[]) WITH ORDINALITY AS given (event, n)`,
    [id, events, { text: "x".repeat(50) }],
  );
}

async function taken(program: Client, id: string, count: number): Promise<void> {
  let left = count;
  while (left > 0) {
    const { rowCount } = await program.query("SELECT FROM simurgh.take($1)", [id]);
    left -= rowCount ?? 0;
    if (left > 0) await sleep(1);
  }
}

/** The CPU that a process has used (ns). */
function cpuOf({ pid = 0 }: ChildProcess): number {
  return cpuOfProcess(pid);
}

function cpuOfProcess(pid: number): number {
  let sum = 0;
  for (const { ranNs } of readThreads(pid).values()) sum += ranNs;
  return sum;
}

/** The CPU that the processes of the database have used (ns), but for those that have ended. */
async function cpuOfDatabase(program: Client): Promise<number> {
  const { rows } = await program.query<{ pid: number }>("SELECT pid FROM pg_stat_activity");
  return rows.reduce((sum, { pid }) => sum + cpuOfProcess(pid), 0);
}

function memoryIn({ pid = 0 }: ChildProcess): number {
  const bytes = readMemory(pid);
  if (bytes === null)
    throw new Error("the memory of a process must be readable in /proc, which needs Linux");
  return bytes;
}
