/**
 * `npm run capacity`: the plan, the simulation and the check of both.
 *
 * Runs on: the test's thread; the server of the check is a process of its own.
 * Slow: it needs the load generator, which has to be built.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { errorOf, makeCheckTable } from "../../scripts/capacity/check.ts";
import type { Demand, Machine } from "../../scripts/capacity/demand.ts";
import { line } from "../../scripts/capacity/measure.ts";
import { parseCapacityOptions } from "../../scripts/capacity/options.ts";
import { makePlan, placesReached, planWith } from "../../scripts/capacity/plan.ts";
import { makeCapacityReport } from "../../scripts/capacity/report.ts";
import { simulateShard } from "../../scripts/capacity/simulation.ts";
import { readUnitCosts, type UnitCosts } from "../../scripts/capacity/unit-costs.ts";
import { judgePlan, type Verdict } from "../../scripts/capacity/verdict.ts";
import { noCompiler } from "../support/compiler.ts";

/** Round numbers, so that every result can be worked out by hand. */
const COSTS: UnitCosts = {
  measuredOn: "paper",
  baseCores: { shard: 0.02, link: 0.03, broker: 0.04 },
  cpuUs: {
    join: 100,
    heartbeat: 10,
    broadcast: 20,
    delivery: 5,
    deliveryByte: 0.01,
    record: 30,
    nodeRecord: 40,
    brokerRecord: 1,
  },
  bytes: { node: 50e6, shard: 10e6, connection: 2_000, kernelConnection: 4_000 },
};
const DEMAND: Demand = {
  connections: 30_000,
  rate: 1_000,
  members: 20,
  payloadBytes: 100,
  joins: 100,
  heartbeatSeconds: 30,
};
const MACHINE: Machine = {
  cores: 4,
  memoryBytes: 8e9,
  networkBits: 1e9,
  load: 0.5,
  maxConnections: 1e6,
};

function close(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-9 * Math.max(1, expected), `${actual} is ${expected}`);
}

function errorIn(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    return (error as Error).message;
  }
  return "no error";
}

function boundOf(demand: Partial<Demand>, machine: Partial<Machine> = {}): string {
  return makePlan({ ...DEMAND, ...demand }, { ...MACHINE, ...machine }, COSTS).bound;
}

function errorOfWords(...words: string[]): string {
  return errorIn(() => parseCapacityOptions(words));
}

describe("a plan of capacity", () => {
  it("adds up what each thing costs", () => {
    const { cpu, deliveries, coresPerNode } = planWith(1, DEMAND, { ...MACHINE, cores: 1 }, COSTS);
    assert.equal(deliveries, 20_000);
    close(cpu.shards, 0.02);
    assert.equal(cpu.links, 0);
    close(cpu.broadcasts, 0.02);
    close(cpu.deliveries, 0.12);
    close(cpu.heartbeats, 0.01);
    close(cpu.joins, 0.01);
    assert.equal(cpu.records, 0);
    assert.equal(cpu.nodeRecords, 0);
    close(coresPerNode, 0.18);
  });

  it("charges each shard and each node that a broadcast reaches beside its own", () => {
    const many = { ...DEMAND, members: 1e6, rate: 1, joins: 0 };
    const { cpu, shardsPerNode, shardsReached, nodesReached } = planWith(3, many, MACHINE, COSTS);
    close(nodesReached, 3);
    close(shardsReached, shardsPerNode);
    close(cpu.records, (30 / 1e6) * (3 * shardsPerNode - 1));
    close(cpu.nodeRecords, (40 / 1e6) * 2);
    close(cpu.shards, 3 * shardsPerNode * 0.02);
    close(cpu.links, 3 * 0.03);
  });

  it("takes the fewest nodes that fit, and one less would not", () => {
    for (const demand of [
      { ...DEMAND, rate: 30_000 },
      { ...DEMAND, connections: 5e6, rate: 10 },
      { ...DEMAND, payloadBytes: 20_000, rate: 5_000 },
    ]) {
      const { nodes, bound } = makePlan(demand, MACHINE, COSTS);
      const use = (count: number): number => {
        const plan = planWith(count, demand, MACHINE, COSTS);
        return Math.max(
          plan.coresPerNode / (MACHINE.cores * MACHINE.load),
          plan.memoryPerNode / (MACHINE.memoryBytes * MACHINE.load),
          plan.networkPerNode / (MACHINE.networkBits * MACHINE.load),
          plan.connectionsPerNode / MACHINE.maxConnections,
        );
      };
      assert.ok(nodes > 1, `${nodes} nodes for ${bound}`);
      assert.ok(use(nodes) <= 1);
      assert.ok(use(nodes - 1) > 1);
    }
  });

  it("says what asks for so many nodes", () => {
    assert.equal(boundOf({ rate: 30_000 }), "cpu");
    assert.equal(boundOf({ connections: 5e6, rate: 10 }), "memory");
    assert.equal(boundOf({ payloadBytes: 20_000, rate: 5_000 }), "network");
    assert.equal(boundOf({}, { maxConnections: 1_000 }), "open files");
  });

  it("refuses machines that could not carry their part, however many", () => {
    const tiny = { ...MACHINE, memoryBytes: 50e6 };
    assert.match(
      errorIn(() => makePlan(DEMAND, tiny, COSTS)),
      /must be able to carry its part/,
    );
    const loud = { ...DEMAND, rate: 100_000 };
    assert.match(
      errorIn(() => makePlan(loud, MACHINE, COSTS)),
      /takes 4\.00 cores of each$/,
    );
  });

  it("assigns members to places at random", () => {
    close(placesReached(1, 8), 1);
    close(placesReached(2, 2), 1.5);
    close(placesReached(20, 1), 1);
    assert.ok(placesReached(1_000, 8) > 7.99);
  });

  it("shows the arithmetic of each figure", () => {
    const plan = planWith(2, DEMAND, MACHINE, COSTS);
    const shard = simulateShard(DEMAND, plan, COSTS);
    const report = makeCapacityReport(DEMAND, MACHINE, COSTS, plan, shard);
    for (const expected of [
      "30 000 connections, 1 000 broadcasts a second to 20 members each, 100 bytes",
      "  nodes        2, limited by cpu",
      "  shards       2 x 0.020 = 0.04, base cost",
      "  links        2 x 0.030 = 0.06",
      "  broadcasts   1 000/s x 20.00 µs = 0.02",
      "  deliveries   1 000/s x 20 x (5.00 µs + 100 x 10.00 ns) = 0.12",
      "  other nodes  1 000/s x 1 nodes x 40.00 µs = 0.04",
      "  heartbeats   30 000 / 30 s x 10.00 µs = 0.01",
      "  connections  15 000 x 2 000 B = 30.0 MB",
      "  kernel       15 000 x 4 000 B = 60.0 MB, without bytes waiting in its buffers",
      "  CPU          0.040 + 1 000 records/s x 1.00 µs = 0.04",
      "unit costs: paper",
    ]) {
      assert.ok(report.split("\n").includes(expected), `${expected}\nis in\n${report}`);
    }
  });
});

describe("a simulated shard", () => {
  const plan = planWith(1, DEMAND, { ...MACHINE, cores: 1 }, COSTS);

  it("is as busy as the arithmetic says", () => {
    close(simulateShard(DEMAND, plan, COSTS).utilisation, plan.coresPerNode);
  });

  it("is the same each time", () => {
    assert.deepEqual(simulateShard(DEMAND, plan, COSTS), simulateShard(DEMAND, plan, COSTS));
  });

  it("lets deliveries wait the longer, the busier it is", () => {
    const p99 = [1, 3, 5].map((factor) => {
      const demand = { ...DEMAND, rate: DEMAND.rate * factor };
      return simulateShard(demand, planWith(1, demand, { ...MACHINE, cores: 1 }, COSTS), COSTS)
        .p99Ms;
    });
    assert.deepEqual(
      p99,
      p99.toSorted((left, right) => left - right),
    );
    assert.ok((p99[2] as number) > 2 * (p99[0] as number), String(p99));
  });

  it("agrees with queueing theory where all services are alike", () => {
    // M/D/1: the mean wait is service * load / (2 * (1 - load)), the median below it.
    const alike = { ...COSTS.cpuUs, broadcast: 1_000, delivery: 1e-9, deliveryByte: 0 };
    const baseCores = { ...COSTS.baseCores, shard: 0 };
    const demand = {
      ...DEMAND,
      rate: 500,
      members: 1,
      joins: 0,
      connections: 1,
      heartbeatSeconds: 1e9,
    };
    const costs = { ...COSTS, baseCores, cpuUs: alike };
    const shard = simulateShard(
      demand,
      planWith(1, demand, { ...MACHINE, cores: 1 }, costs),
      costs,
    );
    close(Math.round(shard.utilisation * 1_000) / 1_000, 0.5);
    // Half of the arrivals find it idle, and are done in the 1 ms that they take.
    assert.ok(shard.p50Ms >= 1 && shard.p50Ms < 1.05, `p50 ${shard.p50Ms} ms`);
    assert.ok(shard.p99Ms > 3 && shard.p99Ms < 5, `p99 ${shard.p99Ms} ms`);
  });
});

describe("unit costs", () => {
  const folder = mkdtempSync(join(tmpdir(), "simurgh-"));
  after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "costs.json");

  function errorOfFile(text: string): string {
    writeFileSync(file, text);
    return errorIn(() => readUnitCosts(file)).replaceAll(file, "FILE");
  }

  it("are read as they were written", () => {
    writeFileSync(file, JSON.stringify(COSTS));
    assert.deepEqual(readUnitCosts(file), COSTS);
  });
  it("that the project keeps can be read", () => {
    assert.ok(readUnitCosts("scripts/capacity/unit-costs.json").cpuUs.delivery > 0);
  });
  it("that lack something are refused by its place", () => {
    const { join: _, ...cpuUs } = COSTS.cpuUs;
    assert.equal(
      errorOfFile(JSON.stringify({ ...COSTS, cpuUs })),
      "cpuUs.join of FILE must be above 0 (µs), got undefined",
    );
    assert.equal(
      errorOfFile(JSON.stringify({ ...COSTS, bytes: { ...COSTS.bytes, shard: -1 } })),
      "bytes.shard of FILE must be above 0 (bytes), got -1",
    );
    assert.match(errorOfFile("{"), /^costs must be a JSON file, got FILE: /);
  });
});

describe("capacity's command line", () => {
  it("reads numbers with k, m and g, and fills in the rest", () => {
    const options = parseCapacityOptions("--connections 2m --rate 100k --memory 128g".split(" "));
    assert.deepEqual(options, {
      kind: "plan",
      costs: undefined,
      json: false,
      demand: {
        connections: 2e6,
        rate: 1e5,
        members: 20,
        payloadBytes: 64,
        joins: 2_000,
        heartbeatSeconds: 30,
      },
      machine: {
        cores: 16,
        memoryBytes: 128e9,
        networkBits: 10e9,
        load: 0.5,
        maxConnections: 1e6,
      },
    });
  });
  it("names what is missing or wrong", () => {
    assert.equal(
      errorOfWords("--rate", "1"),
      "connections must be a number from 1 to 1000000000 (connections), got none",
    );
    assert.equal(
      errorOfWords("--connections", "1", "--rate", "1", "--load", "2"),
      "load must be a number from 0.05 to 1 (share), got 2",
    );
    assert.match(errorOfWords("--connections", "many"), /got many$/);
    assert.match(errorOfWords("--nothing"), /--nothing/);
  });
});

/** Runs the command with options of a plan. */
function planned(...words: readonly string[]): { status: number | null; lines: string[] } {
  const main = fileURLToPath(new URL("../../scripts/capacity/main.js", import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [main, ...words], { encoding: "utf8" });
  return { status, lines: stdout.split("\n") };
}

describe("the verdict on a plan", () => {
  it("comes first", () => {
    const { status, lines } = planned("--connections", "10k", "--rate", "100");
    assert.equal(lines[0], "FEASIBLE with 1 node");
    assert.equal(status, 0);
  });

  it("fails the command if Redis would need more than it has", () => {
    const given = "--connections 10m --rate 120k --cores 64".split(" ");
    const { status, lines } = planned(...given);
    assert.match(lines[0] ?? "", /^NOT FEASIBLE with \d+ nodes$/);
    assert.match(lines[1] ?? "", /^ {2}Redis must use at most 1 \(core\), got [\d.]+: /);
    assert.equal(status, 1);
    const [json = ""] = planned(...given, "--json").lines;
    const { verdict } = JSON.parse(json) as { verdict: Verdict };
    assert.equal(verdict.isFeasible, false);
  });

  it("fails the command if no number of machines is enough", () => {
    const { status, lines } = planned("--connections", "1m", "--rate", "1m", "--cores", "2");
    assert.equal(lines[0], "NOT FEASIBLE");
    assert.match(
      lines[1] ?? "",
      /^ {2}a machine must be able to carry its part of the load, got 2 /,
    );
    assert.equal(status, 1);
  });

  it("names the connections that the other nodes could not hold", () => {
    const machine = { ...MACHINE, maxConnections: 15_000 };
    const verdict = judgePlan(machine, makePlan(DEMAND, machine, COSTS));
    assert.equal(verdict.isFeasible, true);
    assert.match(
      verdict.cautions[0] ?? "",
      /^if a node is lost, .* 30000 connections each, .* 15000/,
    );
  });
});

describe("the line through two measurements", () => {
  it("meets both", () => {
    const { base, us } = line(1_000, 0.06, 5_000, 0.14);
    close(base, 0.04);
    close(us, 20);
  });
});

describe("the check of a plan", () => {
  it("shows how far predictions are from what was measured", () => {
    assert.equal(errorOf({ predicted: 110, measured: 100 }), "+10 %");
    assert.equal(errorOf({ predicted: 90, measured: 100 }), "-10 %");
    const table = makeCheckTable([
      {
        connections: 1_000,
        cpuUs: { predicted: 11, measured: 10 },
        bytes: { predicted: 18e6, measured: 20e6 },
      },
    ]);
    const row = table.split("\n")[1]?.replaceAll(/ {2,}/g, " | ");
    assert.equal(row, "1000 | 11.00 µs | 10.00 µs | +10 % | 18.0 MB | 20.0 MB | -10 %");
  });
  it("ends where the load cannot be had, and its server with it", { skip: noCompiler }, () => {
    const main = fileURLToPath(new URL("../../scripts/capacity/main.js", import.meta.url));
    const { status, stderr } = spawnSync(
      "sh",
      ["-c", 'ulimit -n 512 && exec "$0" "$1" --check', process.execPath, main],
      { timeout: 100_000 },
    );
    assert.equal(status, 1);
    assert.match(stderr.toString(), /native-bench: connections must be at most .+ 512 descriptors/);
  });
});
