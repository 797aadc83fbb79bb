/**
 * Judges a plan: what makes it infeasible, and what to know about it. Pure functions.
 *
 * Runs on: the process of `npm run capacity`.
 */

import type { Machine } from "./demand.ts";
import type { Plan } from "./plan.ts";

/** Cores that Redis can use for commands. */
export const BROKER_CORES = 1;

/** The verdict on a plan. */
export interface Verdict {
  readonly isFeasible: boolean;
  /** Why the plan is not feasible; empty if it is. */
  readonly faults: readonly string[];
  /** What the plan does not withstand. */
  readonly cautions: readonly string[];
}

/** Judges a plan. */
export function judgePlan(machine: Machine, plan: Plan): Verdict {
  const { nodes, broker } = plan;
  const { networkBits, maxConnections } = machine;
  const faults: string[] = [];
  const cautions: string[] = [];
  if (nodes > 1 && broker.cores > BROKER_CORES) {
    faults.push(
      `Redis must use at most ${BROKER_CORES} (core), got ${broker.cores.toFixed(2)}: send less between the nodes, or take fewer and larger machines`,
    );
  }
  if (nodes > 1 && broker.network > networkBits) {
    const [got, most] = [broker.network, networkBits].map((bits) => (bits / 1e6).toFixed(1));
    faults.push(`Redis must send at most ${most} (Mbit/s), got ${got}`);
  }
  const afterLoss = connectionsAfterLoss(plan);
  if (afterLoss > maxConnections) {
    cautions.push(
      `if a node is lost, the others have ${afterLoss} connections each, which is more than ${maxConnections}: add a node`,
    );
  }
  return { isFeasible: faults.length === 0, faults, cautions };
}

/** Returns the connections of each other node when one is lost; 0 with a single node. */
export function connectionsAfterLoss({ nodes, connectionsPerNode }: Plan): number {
  return nodes > 1 ? Math.ceil((connectionsPerNode * nodes) / (nodes - 1)) : 0;
}
