/**
 * One turn: starts a server and its clients, publishes while connections are torn, restarts what the
 * scenario says, and waits until all clients are level.
 *
 * Runs on: the process of `load:drops`.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setInterval as ticks } from "node:timers/promises";
import { freePort } from "../../../test/support/server.ts";
import { Changes } from "../../suites/changes.ts";
import type { CrowdReport } from "./clients/crowd-entry.ts";
import { Crowds } from "./clients/crowds.ts";
import { figuresOf, type Figures } from "./figures.ts";
import { dueAt, lengthMs, type Load, type Scenario } from "./load.ts";
import { RunningServer, type ServerName } from "./servers/servers.ts";

/** A server under a load. */
export interface PlannedTurn {
  readonly server: ServerName;
  readonly scenario: Scenario;
  readonly load: Load;
}

/** How far a turn is. */
export interface Progress {
  /** From 0 to 1. */
  readonly share: number;
  readonly report: CrowdReport;
  readonly isRestarting: boolean;
}

const SHARDS = 2;
const TICK_MS = 10;
const PROGRESS_EVERY_MS = 5_000;
/** Share of the messages after which a restart begins. */
const RESTART_AT = 0.25;
const END_DEADLINE_MS = 30_000;

/** Time of a turn besides its load: starts, joins, the mark of the end, and the stop. */
const TURN_SECONDS = 6;

/** Returns how long turns take, about. */
export function secondsOfTurns(turns: readonly Pick<PlannedTurn, "load">[]): number {
  return turns.reduce((sum, { load }) => sum + TURN_SECONDS + lengthMs(load) / 1_000, 0);
}

/** Takes a turn. @throws Error if server or clients fail */
export async function takeTurn(
  planned: PlannedTurn,
  seed: number,
  onProgress: (progress: Progress) => void,
): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), "simurgh-drops-"));
  const turn = new Turn(planned, await freePort(), folder);
  try {
    return figuresOf(planned, await turn.run(seed, onProgress));
  } finally {
    turn.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Turn {
  readonly #planned: PlannedTurn;
  readonly #port: number;
  readonly #folder: string;
  readonly #changes = new Changes();
  #server: RunningServer | undefined = undefined;
  #crowds: Crowds | undefined = undefined;
  /** Position of the next message. */
  #next = 0;
  /** Time at which the load would have begun if nothing had interrupted it. */
  #startedAt = 0;
  #isDown = false;
  #isRestarting = false;

  constructor(planned: PlannedTurn, port: number, folder: string) {
    this.#planned = planned;
    this.#port = port;
    this.#folder = folder;
  }

  async run(seed: number, onProgress: (progress: Progress) => void): Promise<CrowdReport> {
    const { server: name, load } = this.#planned;
    this.#server = await this.#start();
    this.#crowds = await Crowds.connect({ server: name, port: this.#port, load, seed });
    await this.#crowds.begin();
    this.#startedAt = performance.now();
    await Promise.all([this.#publish(onProgress), this.#restart()]);
    await this.#crowds.rest();
    await this.#server.end();
    const report = await this.#crowds.leave(END_DEADLINE_MS);
    await this.#server.stop();
    return report;
  }

  kill(): void {
    this.#crowds?.kill();
    this.#server?.kill();
  }

  #start(): Promise<RunningServer> {
    const { server, scenario, load } = this.#planned;
    const file = join(this.#folder, "history");
    const env = scenario === "process" ? { SIMURGH_HISTORY_FILE: file } : {};
    return RunningServer.start(
      server,
      { port: this.#port, shards: SHARDS, topics: load.topics },
      env,
    );
  }

  /** Publishes each message when it is due. The clock stops while there is no server. */
  async #publish(onProgress: (progress: Progress) => void): Promise<void> {
    const { load } = this.#planned;
    let looking = Promise.resolve();
    let nextLook = performance.now() + PROGRESS_EVERY_MS;
    for await (const _ of ticks(TICK_MS)) {
      if (this.#next >= load.messages && !this.#isRestarting) break;
      if (this.#isDown) continue;
      const due = dueAt(load, performance.now() - this.#startedAt);
      if (due > this.#next) this.#server?.publish(this.#next, due);
      this.#next = Math.max(this.#next, due);
      this.#changes.changed();
      if (performance.now() < nextLook) continue;
      nextLook = performance.now() + PROGRESS_EVERY_MS;
      await looking;
      looking = this.#look(onProgress);
    }
    await looking;
  }

  async #look(onProgress: (progress: Progress) => void): Promise<void> {
    const { messages } = this.#planned.load;
    const report = await this.#crowds?.look();
    if (report === undefined) return;
    onProgress({
      share: this.#next / messages,
      report,
      isRestarting: this.#isRestarting,
    });
  }

  async #restart(): Promise<void> {
    const { scenario, load } = this.#planned;
    if (scenario === "drops") return;
    this.#isRestarting = true;
    const first = load.messages * RESTART_AT;
    await this.#changes.until(() => this.#next >= first, "the restart", 2 * lengthMs(load));
    if (scenario === "shards") await this.#server?.restartShards();
    else await this.#replaceProcess();
    this.#isRestarting = false;
  }

  async #replaceProcess(): Promise<void> {
    const { rate } = this.#planned.load;
    const published = await this.#server?.stop();
    this.#isDown = true;
    this.#server = await this.#start();
    this.#next = published ?? 0;
    this.#startedAt = performance.now() - (this.#next / rate) * 1_000;
    this.#isDown = false;
  }
}
