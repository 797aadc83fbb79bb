/**
 * Formats a plan as text, in which every figure is shown with its calculation. Pure functions.
 *
 * Runs on: the process of `npm run capacity`.
 */

import type { Demand, Machine } from "./demand.ts";
import { FRAME_BYTES, SEGMENT_BYTES, type Plan } from "./plan.ts";
import type { SimulatedShard } from "./simulation.ts";
import type { UnitCosts } from "./unit-costs.ts";
import { BROKER_CORES, connectionsAfterLoss, judgePlan, type Verdict } from "./verdict.ts";

/** Formats the plan. */
export function makeCapacityReport(
  demand: Demand,
  machine: Machine,
  costs: UnitCosts,
  plan: Plan,
  simulated: SimulatedShard,
): string {
  const verdict = judgePlan(machine, plan);
  return [
    verdictPart(verdict, plan),
    headline(demand, machine, plan),
    cpuPart(demand, costs, plan),
    reachPart(demand, plan),
    memoryPart(costs, plan),
    networkPart(demand, plan),
    ...(plan.nodes > 1 ? [brokerPart(costs, plan)] : []),
    shardPart(simulated),
    lossPart(costs, machine, plan),
    `unit costs: ${costs.measuredOn}\n`,
  ].join("\n");
}

/** Formats the verdict. */
export function verdictPart({ isFeasible, faults, cautions }: Verdict, plan?: Plan): string {
  const nodes = plan ? ` with ${count(plan.nodes)} node${plan.nodes === 1 ? "" : "s"}` : "";
  return lines(
    `${isFeasible ? "FEASIBLE" : "NOT FEASIBLE"}${nodes}`,
    ...faults.map((fault) => `  ${fault}`),
    ...cautions.map((caution) => `  caution: ${caution}`),
  );
}

function headline(
  { connections, rate, members, payloadBytes }: Demand,
  machine: Machine,
  plan: Plan,
): string {
  const { memoryBytes, networkBits, load } = machine;
  return lines(
    `${count(connections)} connections, ${count(rate)} broadcasts a second to ${count(members)} members each, ${count(payloadBytes)} bytes`,
    `on machines of ${machine.cores} cores, ${bytes(memoryBytes)}, ${count(networkBits / 1e6)} Mbit/s, of which ${percent(load)} may be used`,
    "",
    `  nodes        ${count(plan.nodes)}, limited by ${plan.bound}`,
    `  shards       ${count(plan.shardsPerNode)} per node, ${count(plan.nodes * plan.shardsPerNode)} in total: SIMURGH_SHARDS=${plan.shardsPerNode}`,
    `  per node     ${count(plan.connectionsPerNode)} connections, ${plan.coresPerNode.toFixed(2)} cores, ${bytes(plan.memoryPerNode)}, ${(plan.networkPerNode / 1e6).toFixed(1)} Mbit/s`,
  );
}

function cpuPart(demand: Demand, { baseCores, cpuUs }: UnitCosts, plan: Plan): string {
  const { connections, rate, members, payloadBytes, joins, heartbeatSeconds } = demand;
  const { cpu } = plan;
  const all = Object.values(cpu).reduce((total, share) => total + share, 0);
  return lines(
    "CPU of all nodes (cores)",
    `  shards       ${count(plan.nodes * plan.shardsPerNode)} x ${baseCores.shard.toFixed(3)} = ${cores(cpu.shards)}, base cost`,
    `  broadcasts   ${count(rate)}/s x ${us(cpuUs.broadcast)} = ${cores(cpu.broadcasts)}`,
    `  deliveries   ${count(rate)}/s x ${count(members)} x (${us(cpuUs.delivery)} + ${count(payloadBytes)} x ${(cpuUs.deliveryByte * 1_000).toFixed(2)} ns) = ${cores(cpu.deliveries)}`,
    `  other shards ${count(rate)}/s x (${plan.nodesReached.toFixed(2)} nodes x ${plan.shardsReached.toFixed(2)} shards - 1) x ${us(cpuUs.record)} = ${cores(cpu.records)}`,
    `  links        ${plan.nodes > 1 ? count(plan.nodes) : "0"} x ${baseCores.link.toFixed(3)} = ${cores(cpu.links)}`,
    `  other nodes  ${count(rate)}/s x ${count(plan.nodes - 1)} nodes x ${us(cpuUs.nodeRecord)} = ${cores(cpu.nodeRecords)}`,
    `  heartbeats   ${count(connections)} / ${count(heartbeatSeconds)} s x ${us(cpuUs.heartbeat)} = ${cores(cpu.heartbeats)}`,
    `  joins        ${count(joins)}/s x ${us(cpuUs.join)} = ${cores(cpu.joins)}`,
    `  total        ${cores(all)}`,
  );
}

function reachPart({ members }: Demand, plan: Plan): string {
  return lines(
    `Reach of a broadcast: ${count(members)} members are on n x (1 - (1 - 1/n)^members) of n places`,
    `  nodes        ${plan.nodesReached.toFixed(2)} of ${count(plan.nodes)}`,
    `  shards       ${plan.shardsReached.toFixed(2)} of ${count(plan.shardsPerNode)} on each of these, with ${(members / plan.nodesReached).toFixed(2)} members`,
  );
}

function memoryPart({ bytes: unit }: UnitCosts, plan: Plan): string {
  const { memory, shardsPerNode, connectionsPerNode } = plan;
  return lines(
    "Memory of a node",
    `  server       ${bytes(memory.node)}`,
    `  shards       ${count(shardsPerNode)} x ${bytes(unit.shard)} = ${bytes(memory.shards)}`,
    `  rings        ${count(shardsPerNode)} x ${count(shardsPerNode - 1)} = ${bytes(memory.rings)}, once each has been used to its end`,
    `  index        ${bytes(memory.index)}`,
    `  connections  ${count(connectionsPerNode)} x ${count(unit.connection)} B = ${bytes(memory.connections)}`,
    `  kernel       ${count(connectionsPerNode)} x ${count(unit.kernelConnection)} B = ${bytes(memory.kernel)}, without bytes waiting in its buffers`,
    `  total        ${bytes(plan.memoryPerNode)}`,
  );
}

function networkPart({ payloadBytes }: Demand, plan: Plan): string {
  return lines(
    "Network, sent by a node",
    `  a delivery   ${count(payloadBytes)} + ${FRAME_BYTES} for the frame + ${SEGMENT_BYTES} for each TCP segment, at most`,
    `  total        ${(plan.networkPerNode / 1e6).toFixed(1)} Mbit/s: ${count(plan.deliveries / plan.nodes)} deliveries/s, records to Redis, heartbeats`,
  );
}

function brokerPart({ baseCores, cpuUs }: UnitCosts, { broker }: Plan): string {
  return lines(
    "Redis between the nodes, which can use one core",
    `  CPU          ${baseCores.broker.toFixed(3)} + ${count(broker.records)} records/s x ${us(cpuUs.brokerRecord)} = ${cores(broker.cores)}${broker.cores > BROKER_CORES ? ": MORE THAN IT HAS" : ""}`,
    `  network      ${(broker.network / 1e6).toFixed(1)} Mbit/s sent`,
  );
}

function shardPart({ utilisation, p50Ms, p99Ms, p999Ms }: SimulatedShard): string {
  return lines(
    "One shard, simulated: random arrivals, handled one after the other; without network and kernel",
    `  busy         ${percent(utilisation)}`,
    `  a delivery   p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, p99.9 ${p999Ms.toFixed(2)} ms`,
  );
}

function lossPart({ cpuUs }: UnitCosts, { load, maxConnections }: Machine, plan: Plan): string {
  const { nodes, connectionsPerNode, shardsPerNode } = plan;
  const left = connectionsAfterLoss(plan);
  const others = Math.max(1, nodes - 1) * shardsPerNode;
  const free = Math.max(0.05, 1 - load);
  const seconds = (connectionsPerNode * cpuUs.join) / 1e6 / (others * free);
  return lines(
    nodes > 1 ? "When a node is lost" : "When the node is restarted",
    `  joins        ${count(connectionsPerNode)} x ${us(cpuUs.join)} on ${count(others)} shards with ${percent(free)} free = ${seconds.toFixed(1)} s until all are back`,
    ...(nodes > 1
      ? [
          `  other nodes  then have ${count(left)} connections each${left > maxConnections ? ": MORE THAN THEY MAY HOLD" : ""}`,
        ]
      : []),
  );
}

function lines(...texts: readonly string[]): string {
  return `${texts.join("\n")}\n`;
}

function count(value: number): string {
  return Math.round(value)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, " ");
}

function us(value: number): string {
  return `${value.toFixed(2)} µs`;
}

function cores(value: number): string {
  return value.toFixed(2);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

/** Formats bytes in KB, MB or GB, in powers of ten. */
export function bytes(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} GB`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} MB`;
  return `${(value / 1e3).toFixed(1)} KB`;
}
