/**
 * The entry of a clients' process: carries out what it is told, and reports.
 *
 * Runs on: the clients' process. `node crowd-entry.js`, with an IPC channel.
 */

import { monitorEventLoopDelay } from "node:perf_hooks";
import { Crowd, type CrowdSetting } from "./crowd.ts";
import type { Heard } from "../hearing.ts";

/** What a crowd is told. Each is answered with a report. */
export type CrowdOrder =
  | { readonly kind: "connect"; readonly setting: CrowdSetting }
  | { readonly kind: "begin" | "look" | "rest" }
  | { readonly kind: "leave"; readonly withinMs: number };

/** How the clients are, and what they have heard so far. */
export interface CrowdReport {
  readonly heard: Heard;
  readonly tears: number;
  readonly away: number;
  /** How late the process itself was in the worst 1 % of its turns, in ms. */
  readonly latenessMs: number;
}

/** The answer to an order. */
export type CrowdAnswer = { readonly report: CrowdReport } | { readonly failure: string };

const RESOLUTION_MS = 5;
const NS_PER_MS = 1e6;

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let crowd: Crowd | undefined = undefined;

async function carryOut(order: CrowdOrder): Promise<CrowdReport> {
  if (order.kind === "connect") crowd = new Crowd(order.setting);
  if (crowd === undefined) throw new Error("there are no clients yet");
  switch (order.kind) {
    case "connect": {
      await crowd.connect();
      break;
    }
    case "begin": {
      delay.enable();
      crowd.begin();
      break;
    }
    case "look": {
      break;
    }
    case "rest": {
      await crowd.rest();
      delay.disable();
      break;
    }
    case "leave": {
      await crowd.leave(order.withinMs);
    }
  }
  const { heard, tears, away } = crowd;
  const latenessMs = Math.max(0, delay.percentile(99) / NS_PER_MS - RESOLUTION_MS);
  // Its times are needed once, at the end.
  const shown = order.kind === "leave" ? heard : { ...heard, recoveriesMs: [] };
  return { heard: shown, tears, away, latenessMs };
}

function answer(message: CrowdAnswer): void {
  if (process.connected) process.send?.(message);
}

process.on("message", (order: CrowdOrder) => {
  carryOut(order).then(
    (report) => answer({ report }),
    (error: unknown) => answer({ failure: String(error) }),
  );
});
