/**
 * A run of the soak: server, actors, restarts, marks, and the verdict.
 *
 * Runs on: the soak's process.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { FAILED, tell } from "../bench/program.ts";
import { Canaries } from "../suites/canaries.ts";
import { Client } from "../suites/client.ts";
import type { HostStats } from "../suites/host.ts";
import { ServerProcess } from "../suites/server-process.ts";
import { churn } from "./churn.ts";
import { Ledger } from "./ledger.ts";
import { listen } from "./listener.ts";
import { formatMark, Marks, MARKS_HEAD } from "./marks.ts";
import type { SoakOptions } from "./options.ts";
import { poll } from "./poller.ts";
import { speak } from "./speaker.ts";
import { Stage } from "./stage.ts";
import { judgeSoak } from "./verdict.ts";

const READING_MS = 1_000;
const STOP_DEADLINE_MS = 60_000;
/** How long after the end of a speech all of it must have arrived, also on a busy machine. */
const SETTLE_MS = 10_000;
/** How long after the end nothing of the clients may be left; longer than a session lives. */
const EMPTY_DEADLINE_MS = 30_000;
/** About how long the start and the end of a run take (s). */
export const BESIDES_SECONDS = 20;
const BIG_TOPIC = "room:big";

/** Numbers of actors, at scale 1. */
const CAST = { topics: 12, listeners: 60, pollers: 6, slow: 5, churners: 5 };

/** Runs the soak. @returns the exit code */
export async function soak(options: SoakOptions): Promise<number> {
  const { seed, shards, seconds, markSeconds } = options;
  const server = await ServerProcess.start({
    app: new URL("./app.js", import.meta.url),
    shards,
    env: { SIMURGH_LOG_LEVEL: process.env["SIMURGH_LOG_LEVEL"] ?? "warn" },
  });
  tell(`seed ${seed}, ${shards} shards, process ${server.pid}, a mark every ${markSeconds} s`);
  const atStart = await server.stats();
  const canaries = await Canaries.start(server.port, shards);
  const ledger = new Ledger();
  const stage = new Stage(server.port, seed, ledger);
  const marks = new Marks(server);
  const cast = enter(stage, options.scale);
  const restarts = restartAll(stage, server, options);
  await observe(stage, server, { canaries, marks, options });
  stage.finish();
  tell(`minute ${stage.minute}: the last ${SETTLE_MS / 1_000} s`);
  await Promise.all([...cast.speakers, restarts]);
  stage.end();
  await Promise.all(cast.others);
  const canariesSaw = await canaries.stop();
  const left = await untilEmpty(server, atStart);
  const isDead = server.ended !== undefined;
  const ended = isDead ? "died" : await server.stop(STOP_DEADLINE_MS);
  const verdict = judgeSoak({
    options,
    ledger,
    tally: stage.tally,
    marks: marks.all,
    calmFromMinute: seconds / 60 / 2,
    canaries: canariesSaw,
    left,
    ended,
    log: server.log,
  });
  process.stdout.write(verdict.text);
  return verdict.isGood ? 0 : FAILED;
}

interface Cast {
  readonly speakers: readonly Promise<void>[];
  readonly others: readonly Promise<void>[];
}

function enter(stage: Stage, scale: number): Cast {
  const random = stage.random();
  const times = <Item>(count: number, make: (at: number) => Item): Item[] =>
    Array.from({ length: count * scale }, (_none, at) => make(at));
  const style = { settleMs: SETTLE_MS, fillerBytes: 0 };
  return {
    speakers: [
      ...times(CAST.topics, (at) =>
        speak(stage, { ...style, topic: `room:${at % CAST.topics}`, everyMs: 50 }),
      ),
      ...times(CAST.topics, (at) =>
        speak(stage, { ...style, topic: `room:${at % CAST.topics}`, everyMs: 100 }),
      ),
      speak(stage, { ...style, topic: BIG_TOPIC, everyMs: 100, fillerBytes: 20_000 }),
    ],
    others: [
      ...times(CAST.listeners, () =>
        listen(stage, {
          topics: [...new Set([stage.topic(random), stage.topic(random)])],
          pauseMs: 0,
        }),
      ),
      ...times(CAST.slow, () => listen(stage, { topics: [BIG_TOPIC], pauseMs: 20_000 })),
      ...times(CAST.pollers, () => poll(stage, [stage.topic(random)])),
      ...times(CAST.churners, () => churn(stage)),
    ],
  };
}

/** Restarts shards, or ends them, at regular times within the first half of the run. */
async function restartAll(
  stage: Stage,
  server: ServerProcess,
  { restarts, seconds }: SoakOptions,
): Promise<void> {
  const everyMs = (seconds * 1_000) / 2 / (restarts + 1);
  for (let number = 1; number <= restarts; number++) {
    await stage.rest(everyMs);
    if (stage.isOver || server.ended !== undefined) return;
    if (number % 2 === 1) {
      tell(`minute ${stage.minute}: SIGHUP`);
      server.signal("SIGHUP");
    } else {
      tell(`minute ${stage.minute}: process.exit in a shard`);
      await exitShard(server.port);
    }
  }
}

async function exitShard(port: number): Promise<void> {
  const client = await Client.connect(port).catch(() => undefined);
  if (client === undefined) return;
  await client.join("room:exit");
  client.push("room:exit", "exit");
  await Promise.race([client.closed, sleep(5_000)]);
  client.cut(false);
}

interface Observed {
  readonly canaries: Canaries;
  readonly marks: Marks;
  readonly options: SoakOptions;
}

/** Takes readings and marks until the run is over. */
async function observe(
  stage: Stage,
  server: ServerProcess,
  { canaries, marks, options }: Observed,
): Promise<void> {
  const startedAt = performance.now();
  const elapsed = (): number => (performance.now() - startedAt) / 1_000;
  tell(MARKS_HEAD);
  let nextMark = options.markSeconds;
  while (elapsed() < options.seconds && server.ended === undefined) {
    await sleep(READING_MS);
    await marks.read();
    if (elapsed() < nextMark) continue;
    nextMark += options.markSeconds;
    const mark = await marks.mark(await canaries.collect());
    if (mark !== undefined) tell(formatMark(mark));
    const { lost, doubled, disordered } = stage.ledger.counts;
    const { deliveries, said, told } = stage.ledger;
    tell(
      `        ${said} said, ${deliveries} heard, ${told} told; ${lost} lost, ${doubled} doubled, ${disordered} disordered`,
    );
  }
}

/** What is left of clients that have all gone. */
export type Left = Pick<
  HostStats["total"],
  "connections" | "channels" | "sessions" | "presences" | "overflowBytes"
> & { readonly indexUsed: number };

/** Waits until nothing is left of the clients. @returns what is left */
async function untilEmpty(
  server: ServerProcess,
  atStart: HostStats | undefined,
): Promise<Left | undefined> {
  const deadline = performance.now() + EMPTY_DEADLINE_MS;
  for (;;) {
    const stats = await server.stats();
    if (stats === undefined) return undefined;
    const { connections, channels, sessions, presences, overflowBytes } = stats.total;
    const indexUsed = Math.max(0, stats.index.used - (atStart?.index.used ?? 0));
    const left = { connections, channels, sessions, presences, overflowBytes, indexUsed };
    const isEmpty = Object.values(left).every((count) => count === 0);
    if (isEmpty || performance.now() > deadline) return left;
    await sleep(READING_MS);
  }
}
