/**
 * `npm run account`: shows which part of the server owns each byte of a joined connection, next to
 * the figures of the bare engine.
 *
 * A server's memory is read with some connections and again with more, each time after a garbage
 * collection on all threads. One run provides the figures. A second run takes heap snapshots, which
 * need memory and would therefore disturb the figures. The heap of the main thread, which serves no
 * connection, is excluded because it shrinks in the meantime.
 *
 * Runs on: its own process, as root to read /proc/slabinfo. Servers stay on 127.0.0.1.
 * Exit: 0 done, 1 failed, 2 a bad option.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setTimeout as rest } from "node:timers/promises";
import { buildGenerator } from "../bench/generator.ts";
import { messageOf, runProgram, tell } from "../bench/program.ts";
import { findFreePort, startServer, type RunningServer } from "../bench/servers.ts";
import { readMemory } from "../load/threads.ts";
import {
  growthOf,
  makeAccount,
  makeAccountTable,
  type OwnedReading,
  type Reading,
} from "./account.ts";
import { bytesByOwner, type HeapSnapshot } from "./heap-snapshot.ts";
import { hold } from "./held.ts";
import { readSlabs, type SlabBytes } from "./kernel.ts";
import { partOf } from "./parts.ts";
import type { ThreadMemory } from "./probe.ts";

/** Number of connections at the first reading, which includes the server's one-time costs. */
const FIRST = 5_000;
/**
 * Number of connections added before the second reading. One generator opens fewer than 20 000
 * descriptors.
 */
const MORE = 10_000;
/** Pause for work that connecting defers. */
const REST_MS = 1_000;

const HELP = `npm run account
  Prints which part owns each byte of a joined connection, as a Markdown table. Compares a
  server with ${FIRST} and ${FIRST + MORE} connections. Needs root for /proc/slabinfo; takes two minutes.
  --help   show this
Exit code: 0 if done, 1 if failed, 2 for a bad option.
`;

/** A server with the probe on each of its threads. */
interface ProbedServer {
  readonly server: RunningServer;
  /** Queries all threads of the server. */
  readonly ask: (snapshots?: string) => Promise<readonly ThreadMemory[]>;
}

const PROBED = { bare: { threads: 0 }, simurgh: { threads: 1 } } as const;

async function startProbed(name: keyof typeof PROBED): Promise<ProbedServer> {
  const port = await findFreePort();
  const probe = new URL("probe.js", import.meta.url);
  const env = { NODE_OPTIONS: `--import=${probe.href}`, ACCOUNT_PORT: String(port) };
  const server = await startServer(name, 1, { env });
  return {
    server,
    ask: async (snapshots) => {
      const query = new URLSearchParams({ threads: String(PROBED[name].threads) });
      if (snapshots !== undefined) query.set("snapshots", snapshots);
      const answer = await fetch(`http://127.0.0.1:${port}/?${query.toString()}`);
      return (await answer.json()) as readonly ThreadMemory[];
    },
  };
}

/** Takes two readings, with few connections and with many. */
async function readTwice<Result>(
  name: keyof typeof PROBED,
  read: (probed: ProbedServer, connections: number) => Promise<Result>,
): Promise<readonly [Result, Result]> {
  const probed = await startProbed(name);
  const few = await hold(probed.server, FIRST, "bench:a");
  await rest(REST_MS);
  const before = await read(probed, FIRST);
  const more = await hold(probed.server, MORE, "bench:b");
  await rest(REST_MS);
  const after = await read(probed, FIRST + MORE);
  await few.release();
  await more.release();
  await probed.server.stop();
  return [before, after];
}

async function readFigures({ server, ask }: ProbedServer, connections: number): Promise<Reading> {
  const threads = await ask();
  const serving = threads.length > 1 ? threads.filter(({ threadId }) => threadId > 0) : threads;
  const residentBytes = readMemory(server.pid);
  if (residentBytes === null)
    throw new Error("the memory of a process must be readable in /proc, which needs Linux");
  const others = threads.filter((thread) => !serving.includes(thread));
  return {
    connections,
    residentBytes: residentBytes - sumOf(others).heapResident,
    heapUsed: sumOf(serving).heapUsed,
    heapResident: sumOf(serving).heapResident,
    slabs: readKernel(),
  };
}

/** @throws Error if this user may not read the file */
function readKernel(): SlabBytes {
  let text: string;
  try {
    text = readFileSync("/proc/slabinfo", "utf8");
  } catch (error) {
    throw new Error(`/proc/slabinfo must be readable (run as root), got ${messageOf(error)}`, {
      cause: error,
    });
  }
  return readSlabs(text);
}

function sumOf(threads: readonly ThreadMemory[]): Pick<ThreadMemory, "heapUsed" | "heapResident"> {
  const sum = { heapUsed: 0, heapResident: 0 };
  for (const { heapUsed, heapResident } of threads) {
    sum.heapUsed += heapUsed;
    sum.heapResident += heapResident;
  }
  return sum;
}

async function readOwners({ ask }: ProbedServer, connections: number): Promise<OwnedReading> {
  const folder = mkdtempSync(join(tmpdir(), "simurgh-account-"));
  try {
    const owned = new Map<string, number>();
    for (const { snapshot } of await ask(join(folder, "heap"))) {
      if (snapshot === null) continue;
      const read = JSON.parse(readFileSync(snapshot, "utf8")) as HeapSnapshot;
      for (const [owner, bytes] of bytesByOwner(read, (name) => partOf(name) !== undefined)) {
        owned.set(owner, (owned.get(owner) ?? 0) + bytes);
      }
    }
    return { connections, owned };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function run(): Promise<number> {
  // Called first, so that an unreadable file fails before minutes of work.
  readKernel();
  buildGenerator();
  tell(`1/3 the bare engine with ${FIRST} and ${FIRST + MORE} connections`);
  const bare = await readTwice("bare", readFigures);
  tell("2/3 Simurgh with the same numbers of connections");
  const figures = await readTwice("simurgh", readFigures);
  tell("3/3 heap snapshots of Simurgh");
  const owners = await readTwice("simurgh", readOwners);
  process.stdout.write(makeAccountTable(makeAccount(figures, owners), growthOf(...bare)));
  return 0;
}

function readWords(words: readonly string[]): { readonly help: boolean } {
  try {
    return parseArgs({
      args: [...words],
      options: { help: { type: "boolean", default: false } },
    }).values;
  } catch (error) {
    // The error names the unknown option; the help lists the known ones.
    throw new TypeError(`${messageOf(error)}; see --help`, { cause: error });
  }
}

await runProgram({
  name: "account",
  help: HELP,
  parse: readWords,
  wantsHelp: ({ help }) => help,
  run,
});
