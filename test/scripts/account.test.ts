/**
 * `npm run account`: its arithmetic and its table, and that it says what is missing.
 *
 * Runs on: the test's thread; the command is a process of its own.
 * Slow: it needs the load generator, which has to be built.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import {
  growthOf,
  makeAccount,
  makeAccountTable,
  type Reading,
} from "../../scripts/account/account.ts";
import { bytesByOwner, type HeapSnapshot } from "../../scripts/account/heap-snapshot.ts";
import { readSlabs } from "../../scripts/account/kernel.ts";
import { noCompiler } from "../support/compiler.ts";

function node(type: number, name: number, size: number, edges: number): number[] {
  return [type, name, 0, size, edges];
}

function edge(type: number, to: number): number[] {
  return [type, 6, to * 5];
}

/**
 * A heap of six nodes:
 *
 *   root ─> Socket(10) ─> array(20) ─> Channel(30) ─> "text"(40)
 *     └──── weak ──────────────────────────────────────> lost(50)
 */
function makeSnapshot(): HeapSnapshot {
  const strings = ["", "Socket", "", "Channel", "text", "lost", "field"];
  return {
    snapshot: {
      meta: {
        node_fields: ["type", "name", "id", "self_size", "edge_count"],
        node_types: [["synthetic", "object", "array", "string"]],
        edge_fields: ["type", "name_or_index", "to_node"],
        edge_types: [["property", "weak"]],
      },
    },
    nodes: [
      ...node(0, 0, 0, 2),
      ...node(1, 1, 10, 1),
      ...node(2, 2, 20, 1),
      ...node(1, 3, 30, 1),
      ...node(3, 4, 40, 0),
      ...node(1, 5, 50, 0),
    ],
    edges: [...edge(0, 1), ...edge(1, 5), ...edge(0, 2), ...edge(0, 3), ...edge(0, 4)],
    strings,
  };
}

function reading(connections: number, values: Partial<Reading> = {}): Reading {
  return {
    connections,
    residentBytes: 0,
    heapUsed: 0,
    heapResident: 0,
    slabs: new Map(),
    ...values,
  };
}

describe("bytes of a heap snapshot", () => {
  it("belong to the nearest object that is known, what nobody holds to nobody", () => {
    const owned = bytesByOwner(makeSnapshot(), (name) => name === "Socket" || name === "Channel");
    assert.deepEqual(
      owned,
      new Map([
        ["", 50],
        ["Socket", 30],
        ["Channel", 70],
      ]),
    );
  });
  it("go to who holds a part that is not known", () => {
    const owned = bytesByOwner(makeSnapshot(), (name) => name === "Socket");
    assert.equal(owned.get("Socket"), 100);
  });
  it("cannot be read where a field is missing", () => {
    const { snapshot, ...rest } = makeSnapshot();
    const meta = { ...snapshot.meta, node_fields: ["type", "name"] };
    assert.throws(
      () => bytesByOwner({ ...rest, snapshot: { meta } }, () => true),
      /must have the field self_size/,
    );
  });
});

describe("the kernel's objects", () => {
  it("are read of those kinds that a connection is made of", () => {
    const text = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab>
TCP                   10     13   2368   13    8 : tunables    0    0    0
filp                   3      4    192   21    1 : tunables    0    0    0
ext4_inode_cache    1000   1000   1000   29    8 : tunables    0    0    0
`;
    assert.deepEqual(
      readSlabs(text),
      new Map([
        ["TCP", 23_680],
        ["filp", 576],
      ]),
    );
  });
});

describe("the account of a connection", () => {
  const before = reading(1_000, {
    residentBytes: 50_000_000,
    heapUsed: 10_000_000,
    heapResident: 12_000_000,
    slabs: new Map([["TCP", 1_000]]),
  });
  const after = reading(2_000, {
    residentBytes: 52_000_000,
    heapUsed: 10_800_000,
    heapResident: 13_100_000,
    slabs: new Map([["TCP", 4_001_000]]),
  });
  const owned = [
    {
      connections: 500,
      owned: new Map([
        ["Channel", 100],
        ["", 7],
      ]),
    },
    {
      connections: 600,
      owned: new Map([
        ["Channel", 20_100],
        ["Socket", 30_000],
        ["TopicEntry", 5_000],
        ["", 900],
      ]),
    },
  ] as const;

  it("divides what grew, and halves what the kernel has for both ends", () => {
    assert.deepEqual(growthOf(before, after), {
      engineNative: 900,
      heapUsed: 800,
      heapRoom: 300,
      process: 2_000,
      kernel: new Map([["TCP", 2_000]]),
    });
  });
  it("adds up to the growth of the process", () => {
    const account = makeAccount([before, after], owned);
    const { engineNative, heap, heapElse, heapRoom } = account;
    assert.deepEqual(heap, { engine: 0, socket: 300, channel: 200, registry: 50 });
    assert.equal(heapElse, 250);
    const parts = engineNative + heap.engine + heap.socket + heap.channel + heap.registry;
    assert.equal(parts + heapElse + heapRoom, account.process);
  });
  it("is shown beside the bare engine", () => {
    const table = makeAccountTable(makeAccount([before, after], owned), growthOf(before, after));
    assert.ok(table.includes("| socket | 300 |  |\n| channel | 200 |  |\n| registry | 50 |  |\n"));
    assert.ok(table.includes("| **process** | **2000** | **2000** |"));
    assert.ok(table.includes("| kernel, TCP | 2000 | 2000 |"));
  });
});

const cannotMeasure = noCompiler !== false ? noCompiler : whyNoKernel();

function whyNoKernel(): string | false {
  try {
    accessSync("/proc/slabinfo", constants.R_OK);
    return false;
  } catch {
    return "/proc/slabinfo may not be read";
  }
}

describe("npm run account", () => {
  const main = fileURLToPath(new URL("../../scripts/account/main.js", import.meta.url));
  const run = (word: string): readonly [number | null, string] => {
    // Far below the minutes that it takes where it does its work.
    const { status, stderr } = spawnSync(process.execPath, [main, word], { timeout: 20_000 });
    return [status, stderr.toString()];
  };
  it("does nothing but say so where it is given what it does not know", () => {
    assert.deepEqual(run("--connections"), [
      2,
      "account: Unknown option '--connections'; see --help\n",
    ]);
  });
  it("has a help", () => assert.deepEqual(run("--help"), [0, ""]));
  it(
    "ends where the load cannot be had, with the generator's words",
    { skip: cannotMeasure },
    () => {
      const { status, stderr } = spawnSync(
        "sh",
        ["-c", 'ulimit -n 512 && exec "$0" "$1"', process.execPath, main],
        { timeout: 100_000 },
      );
      assert.equal(status, 1);
      assert.match(
        stderr.toString(),
        /account: 5000 connections must join, got: native-bench: .+512 desc/,
      );
    },
  );
});
