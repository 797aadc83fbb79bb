/**
 * The memory account of a joined connection: the part of the server that owns each of its bytes.
 * Pure functions.
 *
 * Every figure is the growth between two numbers of connections, divided by their difference.
 * One-time allocations of the server are therefore excluded.
 *
 * Runs on: the process of `npm run account`.
 */

import type { OwnedBytes } from "./heap-snapshot.ts";
import type { SlabBytes } from "./kernel.ts";
import { partOf, type HeapPart } from "./parts.ts";

/** The readings of a server that holds a number of connections. */
export interface Reading {
  readonly connections: number;
  /**
   * RssAnon + RssShmem of the server's process, minus the heaps of threads that serve no
   * connections.
   */
  readonly residentBytes: number;
  /** Heap of the serving threads: in use by objects after a collection, and resident. */
  readonly heapUsed: number;
  readonly heapResident: number;
  readonly slabs: SlabBytes;
}

/** Heap bytes by owner at the same number of connections, from a separate run. */
export interface OwnedReading {
  readonly connections: number;
  readonly owned: OwnedBytes;
}

/** Bytes of one connection, by owner. */
export interface Account {
  /** Bytes allocated by the engine itself: resident memory outside the heap. */
  readonly engineNative: number;
  readonly heap: Readonly<Record<HeapPart, number>>;
  /** Bytes in use by objects that belong to no known part. */
  readonly heapElse: number;
  /** Bytes that are resident but not in use. */
  readonly heapRoom: number;
  /** Sum of the above: the growth of the process. */
  readonly process: number;
  /**
   * Half of the growth by kind of kernel object, because both ends of a connection are on this
   * machine.
   */
  readonly kernel: SlabBytes;
}

/** Creates the account of a server from its readings and heap snapshots. */
export function makeAccount(
  [before, after]: readonly [Reading, Reading],
  [ownedBefore, ownedAfter]: readonly [OwnedReading, OwnedReading],
): Account {
  const growth = growthOf(before, after);
  const owned = { engine: 0, socket: 0, channel: 0, registry: 0 };
  const count = ownedAfter.connections - ownedBefore.connections;
  for (const [name, bytes] of ownedAfter.owned) {
    const part = partOf(name);
    if (part !== undefined) owned[part] += (bytes - (ownedBefore.owned.get(name) ?? 0)) / count;
  }
  const known = owned.engine + owned.socket + owned.channel + owned.registry;
  return { ...growth, heap: owned, heapElse: growth.heapUsed - known };
}

/** Creates the account from readings alone, without the parts of the heap. */
export function growthOf(
  before: Reading,
  after: Reading,
): Pick<Account, "engineNative" | "heapRoom" | "process" | "kernel"> & {
  readonly heapUsed: number;
} {
  const count = after.connections - before.connections;
  const heapUsed = (after.heapUsed - before.heapUsed) / count;
  const heapResident = (after.heapResident - before.heapResident) / count;
  const resident = (after.residentBytes - before.residentBytes) / count;
  const kernel = new Map(
    [...after.slabs].map(([name, bytes]) => [
      name,
      (bytes - (before.slabs.get(name) ?? 0)) / count / 2,
    ]),
  );
  return {
    engineNative: resident - heapResident,
    heapUsed,
    heapRoom: heapResident - heapUsed,
    process: resident,
    kernel,
  };
}

/** Formats the account as a Markdown table, beside the bare engine. */
export function makeAccountTable(account: Account, bare: ReturnType<typeof growthOf>): string {
  const { heap } = account;
  const kernel = sum(account.kernel);
  const rows: readonly (readonly [string, string, string])[] = [
    ["engine, its own allocations", show(account.engineNative), show(bare.engineNative)],
    ["engine, its JavaScript object", show(heap.engine), show(bare.heapUsed)],
    ["socket", show(heap.socket), ""],
    ["channel", show(heap.channel), ""],
    ["registry", show(heap.registry), ""],
    ["index", "0", ""],
    ["heap in use by other objects", show(account.heapElse), ""],
    ["heap resident but not in use", show(account.heapRoom), show(bare.heapRoom)],
    ["**process**", `**${show(account.process)}**`, `**${show(bare.process)}**`],
    ...[...account.kernel]
      .filter(([, bytes]) => bytes >= 1)
      .toSorted(([, left], [, right]) => right - left)
      .map(
        ([name, bytes]) =>
          [`kernel, ${name}`, show(bytes), show(bare.kernel.get(name) ?? 0)] as const,
      ),
    ["**kernel**", `**${show(kernel)}**`, `**${show(sum(bare.kernel))}**`],
  ];
  return [
    "| bytes of one joined connection | Simurgh | bare engine |",
    "| --- | ---: | ---: |",
    ...rows.map((cells) => `| ${cells.join(" | ")} |`),
    "",
  ].join("\n");
}

function show(bytes: number): string {
  return Math.round(bytes).toString();
}

function sum(bytes: SlabBytes): number {
  return [...bytes.values()].reduce((total, each) => total + each, 0);
}
