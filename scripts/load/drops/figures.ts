/**
 * The figures of a turn, and whether they are what is required.
 *
 * Runs on: the process of `load:drops`. Pure functions.
 */

import { quantile } from "../../suites/canaries.ts";
import type { CrowdReport } from "./clients/crowd-entry.ts";
import { messagesEach, type Load, type Scenario } from "./load.ts";
import { SERVERS, type ServerName } from "./servers/servers.ts";

/** The time from being back to the last message of an absence, over all absences with missed messages. */
export interface Recovery {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** What the clients of one server saw under one load. */
export interface Figures {
  readonly server: ServerName;
  readonly scenario: Scenario;
  readonly load: Load;
  /** Number of messages for all clients together. */
  readonly expected: number;
  readonly delivered: number;
  readonly doubled: number;
  readonly disordered: number;
  readonly told: number;
  readonly tears: number;
  /** How often a client was back, after tears and restarts. */
  readonly returns: number;
  /** Null for a server that does not send messages again, and if no missed message has ever arrived. */
  readonly recovery: Recovery | null;
  /** How late the clients' processes themselves were in the worst 1 % of their turns. */
  readonly latenessMs: number;
}

/** Computes the figures of a turn. */
export function figuresOf(
  turn: Pick<Figures, "server" | "scenario" | "load">,
  { heard, tears, latenessMs }: CrowdReport,
): Figures {
  const { delivered, doubled, disordered, told, returns, recoveriesMs } = heard;
  const { server, scenario, load } = turn;
  const expected = load.clients * messagesEach(load);
  const recovery = SERVERS[server].sendsAgain ? recoveryOf(recoveriesMs) : null;
  const counts = { expected, delivered, doubled, disordered, told, tears, returns };
  return { server, scenario, load, ...counts, recovery, latenessMs };
}

function recoveryOf(timesMs: readonly number[]): Recovery | null {
  if (timesMs.length === 0) return null;
  const sorted = Float64Array.from(timesMs).toSorted();
  return {
    count: sorted.length,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    maxMs: sorted.at(-1) ?? 0,
  };
}

/** Formats a share from 0 to 1 in per cent, rounded down so that only everything is 100 %. */
export function showShare(share: number): string {
  return `${Math.floor(share * 100_000 + ROUNDING) / 1_000} %`;
}

/** A product such as 0.29 * 100 may be this much too small. */
const ROUNDING = 1e-6;

/**
 * Returns a line for each requirement that a server does not meet. Servers that are here for comparison
 * have to meet none.
 *
 * @param maxP99Ms - bound of the recovery's p99 while nothing but connections is torn
 */
export function shortcomingsOf(figures: Figures, maxP99Ms: number): readonly string[] {
  const { server, scenario, expected, delivered, doubled, disordered, returns, recovery } = figures;
  const { title, isJudged } = SERVERS[server];
  if (!isJudged) return [];
  const found: string[] = [];
  if (delivered !== expected)
    found.push(`${expected - delivered} of ${expected} messages are missing`);
  if (doubled > 0) found.push(`${doubled} messages arrived twice`);
  if (disordered > 0) found.push(`${disordered} messages were out of order`);
  if (returns === 0 || recovery === null)
    found.push("no client has missed anything, so nothing was tested");
  else if (scenario === "drops" && recovery.p99Ms >= maxP99Ms) {
    found.push(
      `the p99 of recovery must be below ${maxP99Ms} ms, got ${recovery.p99Ms.toFixed(1)} ms`,
    );
  }
  return found.map((what) => `${title}, ${describeTurn(figures)}: ${what}`);
}

/** Describes what a turn is about. */
export function describeTurn({ scenario, load }: Pick<Figures, "scenario" | "load">): string {
  return `${SCENARIO_WORDS[scenario]}, ${describeLoad(load)}`;
}

/** Short names of the scenarios. */
export const SCENARIO_WORDS = {
  drops: "drops",
  shards: "shards restarted",
  process: "process restarted",
} as const satisfies Record<Scenario, string>;

/** Describes the topics of a load. */
export function describeLoad({ topics, rate }: Pick<Load, "topics" | "rate">): string {
  return `${topics} ${topics === 1 ? "topic" : "topics"} at ${rate}/s`;
}
