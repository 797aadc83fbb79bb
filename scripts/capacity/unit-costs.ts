/**
 * Measured unit costs, and the file that holds them.
 *
 * Runs on: the process of `npm run capacity`.
 */

import { readFileSync } from "node:fs";
import { messageOf } from "../bench/program.ts";

/** Unit costs of one kind of machine. */
export interface UnitCosts {
  /** Place and date of the measurement, as text for the reader. */
  readonly measuredOn: string;
  /**
   * Base cost of any activity in cores, caused by wake-ups and cold caches. It is lower for less
   * than a few hundred events per second.
   */
  readonly baseCores: {
    /** Base cost of each shard. */
    readonly shard: number;
    /** Base cost of the thread that links a node to the others. */
    readonly link: number;
    /** Base cost of the broker between nodes. */
    readonly broker: number;
  };
  /** CPU time of each event in microseconds, at high rates. */
  readonly cpuUs: {
    /** A connection's handshake and the join of one topic. */
    readonly join: number;
    /** A heartbeat and its reply. */
    readonly heartbeat: number;
    /** An incoming message that is broadcast, without its deliveries. */
    readonly broadcast: number;
    /** A delivery with an empty payload to a client on the same shard. */
    readonly delivery: number;
    /** Each byte of a delivery's payload. */
    readonly deliveryByte: number;
    /** A record to another shard: writing it, waking the shard, and reading it. */
    readonly record: number;
    /** A record to another node: sending and receiving it, on both nodes together. */
    readonly nodeRecord: number;
    /** The same record in the broker between them (Redis), which is a separate process. */
    readonly brokerRecord: number;
  };
  /** Memory, in bytes. */
  readonly bytes: {
    /** A server without shards and connections. */
    readonly node: number;
    /** Each additional shard. */
    readonly shard: number;
    /** A joined connection, in the server's process. */
    readonly connection: number;
    /** A joined connection, in the kernel, without bytes waiting in its buffers. */
    readonly kernelConnection: number;
  };
}

/** The place of each cost in the file, and its unit. */
const PLACES = [
  ["baseCores", ["shard", "link", "broker"], "cores"],
  [
    "cpuUs",
    ["join", "heartbeat", "broadcast", "delivery", "record", "nodeRecord", "brokerRecord"],
    "µs",
  ],
  ["bytes", ["node", "shard", "connection", "kernelConnection"], "bytes"],
] as const;

/** Reads a file of unit costs. @throws Error that names the file, the entry, its range and its value */
export function readUnitCosts(path: string): UnitCosts {
  let given: unknown;
  try {
    given = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`costs must be a JSON file, got ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const costs = given as Record<string, Record<string, unknown> | undefined>;
  for (const [part, names, unit] of PLACES) {
    for (const name of names) {
      const value = costs[part]?.[name];
      if (typeof value === "number" && value > 0) continue;
      throw new Error(`${part}.${name} of ${path} must be above 0 (${unit}), got ${String(value)}`);
    }
  }
  const perByte = costs["cpuUs"]?.["deliveryByte"];
  if (typeof perByte !== "number" || perByte < 0) {
    throw new Error(`cpuUs.deliveryByte of ${path} must be 0 or more (µs), got ${String(perByte)}`);
  }
  return given as UnitCosts;
}
