/**
 * The command line of `npm run capacity`.
 *
 * Runs on: the process of `npm run capacity`, once.
 */

import { parseArgs } from "node:util";
import type { Demand, Machine } from "./demand.ts";

/** The action of the command, with its options. */
export type CapacityOptions =
  | { readonly kind: "help" }
  | { readonly kind: "measure"; readonly out: string }
  | { readonly kind: "check"; readonly costs: string | undefined }
  | {
      readonly kind: "plan";
      readonly costs: string | undefined;
      readonly demand: Demand;
      readonly machine: Machine;
      readonly json: boolean;
    };

/** A number that may end with k, m or g. */
const COUNT = /^(\d+(?:\.\d+)?)([kmg]?)$/i;
const FACTORS: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9 };

interface Row {
  readonly unit: string;
  readonly min: number;
  readonly max: number;
  /** Undefined if the option is required. */
  readonly fallback: string | undefined;
  readonly about: string;
}

/** The numeric options, in the order of the help. */
const ROWS = {
  connections: row("connections", 1, 1e9, undefined, "joined, each with one topic; required"),
  rate: row("per second", 0, 1e9, undefined, "broadcasts of all clients together; required"),
  members: row("members", 1, 1e7, "20", "subscribers of a broadcast's topic"),
  payload: row("bytes", 0, 1e6, "64", "payload of a broadcast"),
  joins: row("per second", 0, 1e7, "auto", "new connections; auto: each stays 1 000 s"),
  heartbeat: row("seconds", 1, 3_600, "30", "between heartbeats of a connection"),
  cores: row("cores", 1, 1_024, "16", "of a machine"),
  memory: row("bytes", 1e8, 1e14, "64g", "of a machine"),
  network: row("bits/s", 1e6, 1e12, "10g", "that a machine can send"),
  load: row("share", 0.05, 1, "0.5", "of cores, memory and network that may be used"),
  "max-connections": row("connections", 1, 1e8, "1m", "of a machine, limited by its open files"),
} as const satisfies Record<string, Row>;
type Name = keyof typeof ROWS;
const NAMES = Object.keys(ROWS) as readonly Name[];

function row(
  unit: string,
  min: number,
  max: number,
  fallback: string | undefined,
  about: string,
): Row {
  return { unit, min, max, fallback, about };
}

/** The text of `--help`. */
export const HELP = [
  "npm run capacity -- --connections 2m --rate 100k [OPTIONS]   shows a plan, with the arithmetic",
  "npm run capacity -- --check          compares prediction and measurement, up to 15 000 connections",
  "npm run capacity -- --measure FILE   measures the unit costs of this machine",
  ...NAMES.map((name) => {
    const { unit, about, fallback } = ROWS[name];
    const flag = `--${name}`.padEnd(18);
    return `  ${flag}${unit.padEnd(12)}${about}${fallback === undefined ? "" : ` (${fallback})`}`;
  }),
  "  --costs FILE                  unit costs written by --measure (those of this project)",
  "  --json                        the plan as a line of JSON",
  "  --help                        show this",
  "Numbers may end with k, m or g.",
  "Exit code: 0 if done, 1 if failed or not feasible, 2 for a bad option.",
  "",
].join("\n");

/** Parses the command line. @throws TypeError with a one-line message for the user */
export function parseCapacityOptions(words: readonly string[]): CapacityOptions {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...words],
    options: {
      ...(Object.fromEntries(NAMES.map((name) => [name, text])) as Record<Name, typeof text>),
      costs: text,
      measure: text,
      check: flag,
      json: flag,
      help: flag,
    },
  });
  if (values.help) return { kind: "help" };
  if (values.measure !== undefined) return { kind: "measure", out: values.measure };
  const { costs } = values;
  if (values.check) return { kind: "check", costs };
  const read = (name: Name): number => readNumber(name, values[name]);
  const connections = read("connections");
  const joins = values.joins === undefined ? Math.ceil(connections / 1_000) : read("joins");
  return {
    kind: "plan",
    costs,
    json: values.json,
    demand: {
      connections,
      rate: read("rate"),
      members: read("members"),
      payloadBytes: read("payload"),
      joins,
      heartbeatSeconds: read("heartbeat"),
    },
    machine: {
      cores: read("cores"),
      memoryBytes: read("memory"),
      networkBits: read("network"),
      load: read("load"),
      maxConnections: read("max-connections"),
    },
  };
}

function readNumber(name: Name, given: string | undefined): number {
  const { unit, min, max, fallback } = ROWS[name];
  const text = given ?? fallback;
  const [, digits, suffix] = COUNT.exec(text ?? "") ?? [];
  const value = Number(digits) * (FACTORS[suffix?.toLowerCase() ?? ""] ?? Number.NaN);
  if (text === undefined || !(value >= min && value <= max)) {
    throw new TypeError(
      `${name} must be a number from ${min} to ${max} (${unit}), got ${text ?? "none"}`,
    );
  }
  return value;
}
