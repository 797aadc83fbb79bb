/**
 * The clients of a load, in processes of their own, and the sum of what they have heard.
 *
 * Runs on: the process of `load:drops`.
 */

import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CrowdAnswer, CrowdOrder, CrowdReport } from "./crowd-entry.ts";
import type { CrowdSetting } from "./crowd.ts";

const ENTRY = fileURLToPath(new URL("./crowd-entry.js", import.meta.url));
const CLIENTS_PER_PROCESS = 500;
/** Longer than everything that a crowd waits for. */
const ANSWER_DEADLINE_MS = 120_000;

/** All clients of a load. */
export class Crowds {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  /** Starts the processes and connects all clients. */
  static async connect(setting: Omit<CrowdSetting, "from" | "to">): Promise<Crowds> {
    const { clients } = setting.load;
    const count = Math.ceil(clients / CLIENTS_PER_PROCESS);
    const crowds = new Crowds(Array.from({ length: count }, () => start()));
    const firstOf = (part: number): number => Math.floor((clients * part) / count);
    try {
      await crowds.#ask((part) => ({
        kind: "connect",
        setting: { ...setting, from: firstOf(part), to: firstOf(part + 1) },
      }));
    } catch (error) {
      crowds.kill();
      throw error;
    }
    return crowds;
  }

  /** Begins to tear connections. */
  begin(): Promise<CrowdReport> {
    return this.#ask(() => ({ kind: "begin" }));
  }

  /** Returns what they have heard so far, without times. */
  look(): Promise<CrowdReport> {
    return this.#ask(() => ({ kind: "look" }));
  }

  /** Stops tearing, and waits until all clients are back. */
  rest(): Promise<CrowdReport> {
    return this.#ask(() => ({ kind: "rest" }));
  }

  /** Waits until the end has reached all clients. They leave. @returns all that they have heard */
  leave(withinMs: number): Promise<CrowdReport> {
    return this.#ask(() => ({ kind: "leave", withinMs }));
  }

  /** Ends the processes. */
  kill(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }

  async #ask(orderOf: (part: number) => CrowdOrder): Promise<CrowdReport> {
    return joinReports(
      await Promise.all(this.#children.map((child, part) => askOne(child, orderOf(part)))),
    );
  }
}

function start(): ChildProcess {
  const child = fork(ENTRY, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const kill = (): boolean => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.removeListener("exit", kill));
  return child;
}

async function askOne(child: ChildProcess, order: CrowdOrder): Promise<CrowdReport> {
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(ANSWER_DEADLINE_MS)]);
  const answered = once(child, "message", { signal }) as Promise<[CrowdAnswer]>;
  const ended = once(child, "exit", { signal }).then((): never => {
    throw new Error("the clients' process ended");
  });
  child.send(order);
  try {
    const [answer] = await Promise.race([answered, ended]);
    if ("failure" in answer) throw new Error(`the clients failed: ${answer.failure}`);
    return answer.report;
  } finally {
    over.abort();
    await Promise.allSettled([answered, ended]);
  }
}

/** Adds up the reports of several processes. Pure. */
export function joinReports(reports: readonly CrowdReport[]): CrowdReport {
  const sum = (countOf: (report: CrowdReport) => number): number =>
    reports.reduce((total, report) => total + countOf(report), 0);
  return {
    heard: {
      delivered: sum(({ heard }) => heard.delivered),
      doubled: sum(({ heard }) => heard.doubled),
      disordered: sum(({ heard }) => heard.disordered),
      told: sum(({ heard }) => heard.told),
      returns: sum(({ heard }) => heard.returns),
      recoveriesMs: reports.flatMap(({ heard }) => heard.recoveriesMs),
    },
    tears: sum(({ tears }) => tears),
    away: sum(({ away }) => away),
    latenessMs: Math.max(0, ...reports.map(({ latenessMs }) => latenessMs)),
  };
}
