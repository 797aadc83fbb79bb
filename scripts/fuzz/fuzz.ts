/**
 * A run of the fuzzer: server, canaries and lives, the progress, and the verdict.
 *
 * Runs on: the fuzzer's process.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { FAILED, tell } from "../bench/program.ts";
import { Canaries } from "../suites/canaries.ts";
import { Random } from "../suites/random.ts";
import { ServerProcess, type Ended } from "../suites/server-process.ts";
import { readCorpus } from "./corpus.ts";
import { Crew } from "./crew.ts";
import { makeHttpLife } from "./http-life.ts";
import type { FuzzOptions } from "./options.ts";
import { judgeFuzz, type FuzzOutcome } from "./verdict.ts";
import { makeWebSocketLife } from "./websocket-life.ts";

const PROGRESS_MS = 5_000;
const STOP_DEADLINE_MS = 60_000;
/** Time for the server to notice that all connections are gone. */
const SETTLE_MS = 2_000;

/** Kinds of lives, as parts of their seeds. */
const KIND = { webSocket: 1, http: 2 };

/** Frames and requests per second, which are sent at the same time; and the time to start and end (s). */
const PACE = { frames: 15_000, requests: 1_500 };
const BESIDES_SECONDS = 5;

/** Estimates the time of a run (s); undefined if a number of lives is given. */
export function secondsOfFuzz({
  frames,
  requests,
  lives,
}: Pick<FuzzOptions, "frames" | "requests" | "lives">): number | undefined {
  if (lives !== undefined) return undefined;
  return BESIDES_SECONDS + Math.max(frames / PACE.frames, requests / PACE.requests);
}

/** Runs the fuzzer. @returns the exit code */
export async function fuzz(options: FuzzOptions): Promise<number> {
  const { seed, shards, connections, from, lives } = options;
  const corpus = readCorpus();
  const server = await ServerProcess.start({
    app: options.app,
    shards,
    env: { SIMURGH_LOG_LEVEL: process.env["SIMURGH_LOG_LEVEL"] ?? "warn" },
  });
  tell(`seed ${seed}, ${shards} shards, process ${server.pid}`);
  const canaries = await Canaries.start(server.port, shards);
  const plan = { port: server.port, connections, from, lives };
  const webSocket = new Crew({
    ...plan,
    target: options.frames,
    make: (life) => makeWebSocketLife(Random.of(seed, KIND.webSocket, life), corpus, life),
  });
  const http = new Crew({
    ...plan,
    target: options.requests,
    make: (life) => makeHttpLife(Random.of(seed, KIND.http, life), corpus, life),
  });
  server.onEnd(() => {
    webSocket.stop();
    http.stop();
  });
  const startedAt = performance.now();
  const before = server.residentBytes() ?? 0;
  const done = Promise.all([webSocket.run(), http.run()]).then(() => true);
  let peak = before;
  while (!(await Promise.race([done, sleep(PROGRESS_MS, false)]))) {
    peak = Math.max(peak, server.residentBytes() ?? 0);
    const p99 = await canaries.collect();
    tell(progress(options, webSocket, http, p99, server.residentBytes() ?? 0));
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const summary = await canaries.stop();
  await sleep(SETTLE_MS);
  const stats = await server.stats();
  const residentBytes = server.residentBytes() ?? 0;
  const ended = await end(server);
  const outcome: FuzzOutcome = {
    options,
    seconds,
    frames: webSocket.written,
    requests: http.written,
    lives: { webSocket: webSocket.lives, http: http.lives },
    findings: { webSocket: webSocket.findings, http: http.findings },
    livingAtDeath: [...webSocket.livingAtStop, ...http.livingAtStop],
    canaries: summary,
    stats,
    memory: { before, peak: Math.max(peak, residentBytes), after: residentBytes },
    ended,
    logFaults: server.log.faults,
    logBytes: server.log.bytes,
    logEnd: server.log.end,
  };
  const verdict = judgeFuzz(outcome);
  process.stdout.write(verdict.text);
  return verdict.isGood ? 0 : FAILED;
}

async function end(server: ServerProcess): Promise<Ended | "killed" | "died"> {
  if (server.ended !== undefined) return "died";
  return server.stop(STOP_DEADLINE_MS);
}

function progress(
  { frames, requests }: FuzzOptions,
  webSocket: Crew,
  http: Crew,
  p99Ms: number,
  residentBytes: number,
): string {
  return [
    `${webSocket.written} frames${shareOf(webSocket, frames)}`,
    `${http.written} requests${shareOf(http, requests)}`,
    `canaries' p99 ${p99Ms.toFixed(1)} ms`,
    `${Math.round(residentBytes / 2 ** 20)} MiB`,
    `${webSocket.findings.length + http.findings.length} faults`,
  ].join("  ");
}

function shareOf({ written }: Crew, target: number): string {
  return target === 0 ? "" : ` (${Math.min(100, Math.floor((written / target) * 100))} %)`;
}
