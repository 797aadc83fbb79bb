/**
 * The measured figures that the documents show, and the file that keeps them: one number for each
 * workload and server, shared by all documents.
 *
 * `npm run bench -- --save` and `npm run load:peers -- --save` write their measurements into the
 * file and leave the rest of it unchanged. `npm run docs` then writes the tables of all documents.
 *
 * Runs on: the benchmark's process, and the processes that write or compare documents.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";

import { compare, type Spread } from "./comparison.ts";
import { compareLatency, roundsBeside, type Results } from "./table.ts";
import type { ServerName } from "./servers.ts";
import { WORKS, type Work, type WorkName } from "./works.ts";

const FILE = new URL("../../../scripts/bench/figures.json", import.meta.url);

/** The measurements of one server under one workload, in the units of `FIGURES`. */
export interface ServerFigures {
  /** The server's own figure. */
  readonly figure?: number;
  /** Ratio or difference to the bare engine. */
  readonly relation?: Partial<Spread> & Pick<Spread, "median">;
  /** 99th percentile of latency in µs, for workloads with another main figure. */
  readonly latencyP99Us?: number;
  /** Number of clients that did not read and were closed by the server. */
  readonly deafClosed?: number;
}

/** The measurements of one workload. */
export interface WorkFigures {
  /** The machine and the duration of the measurement. */
  readonly measuredOn: string;
  readonly servers: { readonly [Name in ServerName]?: ServerFigures };
}

/** All figures. */
export type Figures = { readonly [Name in WorkName]?: WorkFigures };

/** Reads the file. */
export function readFigures(): Figures {
  return JSON.parse(readFileSync(FILE, "utf8")) as Figures;
}

/** Writes the file. */
export function writeFigures(figures: Figures): void {
  writeFileSync(FILE, `${JSON.stringify(figures, undefined, 2)}\n`);
}

/** Returns a copy of the figures, in which the figures of a run replace earlier figures. */
export function withMeasured(before: Figures, results: Results, measuredOn: string): Figures {
  const after: { [Name in WorkName]?: WorkFigures } = { ...before };
  for (const name of Object.keys(results) as WorkName[]) {
    const servers = { ...before[name]?.servers, ...figuresOf(name, results) };
    after[name] = { measuredOn, servers };
  }
  return after;
}

/** Describes this machine and a run: `2 CPUs, Node.js 20.20.2, 3 rounds of 3 s`. */
export function describeRun(rounds: number, seconds: number): string {
  const { node } = process.versions;
  return `${availableParallelism()} CPUs, Node.js ${node}, ${rounds} rounds of ${seconds} s`;
}

function figuresOf(name: WorkName, results: Results): WorkFigures["servers"] {
  const work: Work = WORKS[name];
  const rounds = results[name] ?? [];
  const servers: { [Name in ServerName]?: ServerFigures } = {};
  for (const server of new Set(rounds.flatMap((round) => Object.keys(round) as ServerName[]))) {
    const compared = compare(work, server, rounds, roundsBeside(work, results));
    if (compared === undefined) continue;
    const { figure, relation, deaf } = compared;
    const latencyP99Us = compareLatency(work, server, rounds)?.figure;
    servers[server] = {
      ...(figure !== undefined && { figure }),
      ...(relation !== undefined && { relation }),
      ...(latencyP99Us !== undefined && { latencyP99Us }),
      ...(deaf !== undefined && { deafClosed: deaf.closed.median }),
    };
  }
  return servers;
}
