/**
 * Simulates one shard of a plan, to estimate the waiting times of deliveries for random arrivals.
 * Pure functions.
 *
 * A shard handles one event after the other. An event that arrives at random (Poisson) may have to
 * wait:
 *
 *   wait of the next = max(0, wait + service - time until the next)      (Lindley)
 *
 * Events are broadcasts of its own clients, records of other shards and nodes, heartbeats and
 * joins. The service time of each event is its unit cost; for a broadcast or record, the cost of
 * its deliveries here is added. A delivery also waits for earlier deliveries of the same broadcast.
 * The network and the kernel are not simulated.
 *
 * Runs on: the process of `npm run capacity`.
 */

import type { Demand } from "./demand.ts";
import type { Plan } from "./plan.ts";
import type { UnitCosts } from "./unit-costs.ts";

/** Waiting times of the deliveries of one shard, in milliseconds. */
export interface SimulatedShard {
  /** Share of the time for which the shard is busy. */
  readonly utilisation: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

/**
 * A kind of event, with its rate, its cost, and the number of deliveries that each event causes on
 * this shard.
 */
interface Arrival {
  readonly perSecond: number;
  readonly us: number;
  readonly deliveries: number;
}

const ARRIVALS = 400_000;
const SEED = 20_11;

/** Simulates enough arrivals for the 99.9th percentile to be determined by hundreds of them. */
export function simulateShard(demand: Demand, plan: Plan, costs: UnitCosts): SimulatedShard {
  const arrivals = arrivalsOf(demand, plan, costs);
  const deliveryUs = costs.cpuUs.delivery + demand.payloadBytes * costs.cpuUs.deliveryByte;
  const allPerSecond = total(arrivals, ({ perSecond }) => perSecond);
  const serviceOf = ({ us, deliveries }: Arrival): number => us + deliveries * deliveryUs;
  const working = total(arrivals, (arrival) => (arrival.perSecond * serviceOf(arrival)) / 1e6);
  const random = makeRandom(SEED);
  const times: number[] = [];
  let waitUs = 0;
  for (let count = 0; count < ARRIVALS; count++) {
    const arrival = draw(arrivals, random() * allPerSecond);
    // One random delivery of the broadcast represents all of them.
    if (arrival.deliveries > 0) {
      times.push(waitUs + arrival.us + random() * arrival.deliveries * deliveryUs);
    }
    const gapUs = (-Math.log(1 - random()) / allPerSecond) * 1e6;
    waitUs = Math.max(0, waitUs + serviceOf(arrival) - gapUs);
  }
  times.sort((left, right) => left - right);
  const quantileMs = (fraction: number): number =>
    (times[Math.min(times.length - 1, Math.floor(times.length * fraction))] ?? 0) / 1_000;
  return {
    utilisation: costs.baseCores.shard + working,
    p50Ms: quantileMs(0.5),
    p99Ms: quantileMs(0.99),
    p999Ms: quantileMs(0.999),
  };
}

function arrivalsOf(
  { connections, rate, members, joins, heartbeatSeconds }: Demand,
  { nodes, shardsPerNode, nodesReached, shardsReached }: Plan,
  { cpuUs }: UnitCosts,
): readonly Arrival[] {
  const shards = nodes * shardsPerNode;
  const visits = nodesReached * shardsReached;
  const deliveries = members / visits;
  return [
    { perSecond: rate / shards, us: cpuUs.broadcast, deliveries },
    { perSecond: (rate * (visits - 1)) / shards, us: cpuUs.record, deliveries },
    { perSecond: connections / heartbeatSeconds / shards, us: cpuUs.heartbeat, deliveries: 0 },
    { perSecond: joins / shards, us: cpuUs.join, deliveries: 0 },
  ];
}

/** Returns the kind of event selected by a number below the sum of all rates. */
function draw(arrivals: readonly Arrival[], at: number): Arrival {
  let rest = at;
  for (const arrival of arrivals) {
    rest -= arrival.perSecond;
    if (rest < 0) return arrival;
  }
  return arrivals[0] as Arrival;
}

function total(arrivals: readonly Arrival[], of: (arrival: Arrival) => number): number {
  return arrivals.reduce((sum, arrival) => sum + of(arrival), 0);
}

/** Creates a generator of numbers from 0 to 1, reproducible for a seed (mulberry32). */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
