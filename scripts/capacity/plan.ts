/**
 * Plans nodes, shards, memory, rings and network for a demand, from unit costs. Pure functions.
 *
 *   deliveries       = rate * members
 *   CPU, all nodes   = shards * base + rate * broadcast + deliveries * (delivery + payload * byte)
 *                    + rate * (shards reached on all nodes, without the sender's own) * record
 *                    + nodes * base of the link + rate * (nodes - 1) * nodeRecord
 *                      (each node receives every broadcast)
 *                    + connections / heartbeat * heartbeatCost + joins * join
 *   nodes            = the maximum of what CPU, memory, network and open files need
 *
 * The number of shards and nodes that a broadcast reaches depends on their total number. The plan
 * therefore starts with a lower bound for the nodes and adds one until everything fits. Members are
 * assumed to be distributed evenly at random.
 *
 * Runs on: the process of `npm run capacity`.
 */

import { automaticRingBytes, memberCount } from "../../src/options/resolution.ts";
import { OPTIONS } from "../../src/options/options.ts";
import { subscriptionIndexBytes } from "../../src/pubsub/subscription-index-layout.ts";
import type { Demand, Machine } from "./demand.ts";
import type { UnitCosts } from "./unit-costs.ts";

/** CPU by purpose, in cores (CPU seconds per second) of all nodes together. */
export interface CpuShares {
  readonly shards: number;
  readonly links: number;
  readonly broadcasts: number;
  readonly deliveries: number;
  readonly records: number;
  readonly nodeRecords: number;
  readonly heartbeats: number;
  readonly joins: number;
}

/** Memory of one node by purpose, in bytes. */
export interface MemoryShares {
  readonly node: number;
  readonly shards: number;
  readonly rings: number;
  readonly index: number;
  readonly connections: number;
  readonly kernel: number;
}

/** The resources that a demand requires. */
export interface Plan {
  readonly nodes: number;
  /** The resource that determines the number of nodes. */
  readonly bound: "cpu" | "memory" | "network" | "open files";
  readonly shardsPerNode: number;
  readonly connectionsPerNode: number;
  readonly deliveries: number;
  /** Number of shards that a broadcast reaches on a node, including the sender's shard. */
  readonly shardsReached: number;
  /** Number of nodes with members of a broadcast's topic, including the sender's node. */
  readonly nodesReached: number;
  readonly cpu: CpuShares;
  /** Cores that one node uses. */
  readonly coresPerNode: number;
  readonly memory: MemoryShares;
  readonly memoryPerNode: number;
  /** Bits per second that one node sends to clients and to the broker. */
  readonly networkPerNode: number;
  /** The load on the broker between the nodes; 0 with a single node. */
  readonly broker: {
    /** Records that the broker passes on per second. */
    readonly records: number;
    /** Cores that the broker uses. */
    readonly cores: number;
    /** Bits per second that the broker sends. */
    readonly network: number;
  };
}

/** `[null,null,"bench:1","b",…]` around a payload, and the WebSocket's header. */
export const FRAME_BYTES = 36;
/** Ethernet, IP and TCP headers with their options, around each segment. */
export const SEGMENT_BYTES = 66;
const SEGMENT_PAYLOAD_BYTES = 1_448;
/** `[null,"12","phoenix","phx_reply",{"status":"ok","response":{}}]`, and the WebSocket's header. */
const HEARTBEAT_BYTES = 66;
/** Overhead of a record besides its frame: 32 bytes, the topic, and framing. */
const RECORD_HEADER_BYTES = 48;
const MAX_NODES = 100_000;

/** Creates the smallest plan that fits. @throws RangeError if no number of nodes fits */
export function makePlan(demand: Demand, machine: Machine, costs: UnitCosts): Plan {
  for (let nodes = firstGuess(demand, machine, costs); nodes <= MAX_NODES; nodes++) {
    const plan = planWith(nodes, demand, machine, costs);
    if (fits(plan, machine)) return plan;
  }
  const heard = coresOf(demand.rate, costs.cpuUs.nodeRecord);
  throw new RangeError(
    `a machine must be able to carry its part of the load, got ${machine.cores} cores and ${machine.memoryBytes} bytes, of which ${machine.load} may be used; every node receives every broadcast, which takes ${heard.toFixed(2)} cores of each`,
  );
}

/**
 * Returns a lower bound for the number of nodes, based on the costs that are shared by all nodes.
 */
function firstGuess(demand: Demand, machine: Machine, costs: UnitCosts): number {
  const alone = { nodes: 1, shardsPerNode: 1, nodesReached: 1, shardsReached: 1 };
  const { broadcasts, deliveries, heartbeats, joins } = cpuOf(demand, costs, alone);
  const cpuCores = broadcasts + deliveries + heartbeats + joins;
  const bytes = demand.connections * (costs.bytes.connection + costs.bytes.kernelConnection);
  return Math.max(
    1,
    Math.floor(cpuCores / (machine.cores * machine.load)),
    Math.floor(bytes / (machine.memoryBytes * machine.load)),
    Math.floor(demand.connections / machine.maxConnections),
  );
}

/** Creates the plan for a number of nodes, whether it fits or not. */
export function planWith(nodes: number, demand: Demand, machine: Machine, costs: UnitCosts): Plan {
  const connectionsPerNode = Math.ceil(demand.connections / nodes);
  const nodesReached = placesReached(demand.members, nodes);
  const shardsPerNode = shardsFor(nodes, demand, machine, costs);
  const shardsReached = placesReached(demand.members / nodesReached, shardsPerNode);
  const cpu = cpuOf(demand, costs, { nodes, shardsPerNode, nodesReached, shardsReached });
  const memory = memoryOf(connectionsPerNode, shardsPerNode, costs);
  const brokerRecords = demand.rate * (nodes - 1);
  const plan = {
    nodes,
    shardsPerNode,
    connectionsPerNode,
    deliveries: demand.rate * demand.members,
    shardsReached,
    nodesReached,
    cpu,
    coresPerNode: sum(cpu) / nodes,
    memory,
    memoryPerNode: sum(memory),
    networkPerNode: networkOf(demand, nodes) / nodes,
    broker: {
      records: brokerRecords,
      cores:
        nodes > 1 ? costs.baseCores.broker + coresOf(brokerRecords, costs.cpuUs.brokerRecord) : 0,
      network: brokerRecords * recordBytes(demand) * 8,
    },
  };
  return { ...plan, bound: boundOf(plan, machine) };
}

/**
 * Returns the average number of `places` with at least one of the randomly distributed members. The
 * probability that a place has no member is the probability that every member misses it.
 */
export function placesReached(members: number, places: number): number {
  return Math.max(1, places * (1 - (1 - 1 / places) ** members));
}

/**
 * Returns the number of shards that the load needs, at most one per core. More shards would cost
 * additional records.
 */
function shardsFor(nodes: number, demand: Demand, machine: Machine, costs: UnitCosts): number {
  const nodesReached = placesReached(demand.members, nodes);
  for (let shards = 1; shards < machine.cores; shards++) {
    const shardsReached = placesReached(demand.members / nodesReached, shards);
    const used =
      sum(cpuOf(demand, costs, { nodes, shardsPerNode: shards, nodesReached, shardsReached })) /
      nodes;
    if (used <= shards * machine.load) return shards;
  }
  return machine.cores;
}

/** The numbers on which CPU depends. */
type Reach = Pick<Plan, "nodes" | "shardsPerNode" | "nodesReached" | "shardsReached">;

function cpuOf(
  { connections, rate, members, payloadBytes, joins, heartbeatSeconds }: Demand,
  { baseCores, cpuUs }: UnitCosts,
  { nodes, shardsPerNode, nodesReached, shardsReached }: Reach,
): CpuShares {
  const delivery = cpuUs.delivery + payloadBytes * cpuUs.deliveryByte;
  return {
    shards: nodes * shardsPerNode * baseCores.shard,
    links: nodes > 1 ? nodes * baseCores.link : 0,
    broadcasts: coresOf(rate, cpuUs.broadcast),
    deliveries: coresOf(rate * members, delivery),
    records: coresOf(rate * (nodesReached * shardsReached - 1), cpuUs.record),
    nodeRecords: coresOf(rate * (nodes - 1), cpuUs.nodeRecord),
    heartbeats: coresOf(connections / heartbeatSeconds, cpuUs.heartbeat),
    joins: coresOf(joins, cpuUs.join),
  };
}

function coresOf(perSecond: number, us: number): number {
  return (perSecond * us) / 1e6;
}

function memoryOf(connections: number, shards: number, { bytes }: UnitCosts): MemoryShares {
  const members = memberCount({ shards, historyThreads: OPTIONS.historyThreads.default });
  return {
    node: bytes.node,
    shards: shards * bytes.shard,
    rings: shards * (shards - 1) * automaticRingBytes(members),
    index: subscriptionIndexBytes({ indexBits: OPTIONS.indexBits.default, members }),
    connections: connections * bytes.connection,
    kernel: connections * bytes.kernelConnection,
  };
}

/** Returns the bits per second that all nodes send, if each message needs a separate segment. */
function networkOf(demand: Demand, nodes: number): number {
  const { connections, rate, members, payloadBytes, heartbeatSeconds } = demand;
  const frame = FRAME_BYTES + payloadBytes;
  const delivery = frame + Math.ceil(frame / SEGMENT_PAYLOAD_BYTES) * SEGMENT_BYTES;
  const heartbeat = HEARTBEAT_BYTES + SEGMENT_BYTES;
  const toBroker = nodes > 1 ? rate * recordBytes(demand) : 0;
  const bytes = rate * members * delivery + toBroker + (connections / heartbeatSeconds) * heartbeat;
  return bytes * 8;
}

/** Returns the size of a broadcast to another node, where many broadcasts share a segment. */
function recordBytes({ payloadBytes }: Demand): number {
  return RECORD_HEADER_BYTES + FRAME_BYTES + payloadBytes;
}

function fits(plan: Plan, machine: Machine): boolean {
  return Math.max(...usesOf(plan, machine).values()) <= 1;
}

/** Returns the used share of each resource's limit. */
function usesOf(
  plan: Omit<Plan, "bound">,
  { cores, memoryBytes, networkBits, load, maxConnections }: Machine,
): ReadonlyMap<Plan["bound"], number> {
  return new Map<Plan["bound"], number>([
    ["cpu", plan.coresPerNode / (cores * load)],
    ["memory", plan.memoryPerNode / (memoryBytes * load)],
    ["network", plan.networkPerNode / (networkBits * load)],
    ["open files", plan.connectionsPerNode / maxConnections],
  ]);
}

function boundOf(plan: Omit<Plan, "bound">, machine: Machine): Plan["bound"] {
  const [first] = [...usesOf(plan, machine)].toSorted(([, left], [, right]) => right - left);
  return first === undefined ? "cpu" : first[0];
}

function sum(shares: CpuShares | MemoryShares): number {
  return Object.values(shares).reduce((total: number, share: number) => total + share, 0);
}
