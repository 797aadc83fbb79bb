/**
 * The account of a joined connection: every byte of it, and whose it is. Pure functions.
 *
 * All figures are growths between two numbers of connections, divided by their difference: what a
 * server has once is not in them.
 *
 * Runs on: the process of `npm run account`.
 */

import type { OwnedBytes } from "./heap-snapshot.ts";
import type { SlabBytes } from "./kernel.ts";
import { partOf, type HeapPart } from "./parts.ts";

/** What was read of a server that held so many connections. */
export interface Reading {
  readonly connections: number;
  /** RssAnon and RssShmem of its process, less the heaps of threads that serve no connections. */
  readonly residentBytes: number;
  /** Of the threads that serve: in use by objects after a collection, and given memory by the system. */
  readonly heapUsed: number;
  readonly heapResident: number;
  readonly slabs: SlabBytes;
}

/** Snapshots of its heap at the same numbers of connections, in a run of their own. */
export interface OwnedReading {
  readonly connections: number;
  readonly owned: OwnedBytes;
}

/** Bytes of one connection, by whose they are. */
export interface Account {
  /** What the engine allocates itself: resident, and not of the heap. */
  readonly engineNative: number;
  readonly heap: Readonly<Record<HeapPart, number>>;
  /** In use by objects that belong to no part that is known. */
  readonly heapElse: number;
  /** Given memory by the system and not in use. */
  readonly heapRoom: number;
  /** All of the above: growth of the process. */
  readonly process: number;
  /** By kind of kernel object; half of what grew, as both ends are on this machine. */
  readonly kernel: SlabBytes;
}

/** Makes the account of a server whose heap was looked into. */
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

/** The same without the heap's parts: of a server that is looked at from outside. */
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

/** Draws the account as a table of Markdown, beside the bare engine. */
export function makeAccountTable(account: Account, bare: ReturnType<typeof growthOf>): string {
  const { heap } = account;
  const kernel = sum(account.kernel);
  const rows: readonly (readonly [string, string, string])[] = [
    ["engine, allocated by itself", show(account.engineNative), show(bare.engineNative)],
    ["engine, its object in JavaScript", show(heap.engine), show(bare.heapUsed)],
    ["socket", show(heap.socket), ""],
    ["channel", show(heap.channel), ""],
    ["registry", show(heap.registry), ""],
    ["index", "0", ""],
    ["heap in use by others", show(account.heapElse), ""],
    ["heap with memory and not in use", show(account.heapRoom), show(bare.heapRoom)],
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
