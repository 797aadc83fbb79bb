import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { describe, it } from "node:test";
import {
  LOAD_PEERS,
  makeHelp,
  parseBenchOptions,
  type BenchOptions,
} from "../../scripts/bench/options.ts";
import { makeTable } from "../../scripts/bench/table.ts";
import { findListener, listeningInodes } from "../../scripts/load/peers/listener.ts";
import { chooseBun } from "../../scripts/load/peers/packages.ts";

function optionsOf(words: readonly string[]): BenchOptions {
  return parseBenchOptions(words, LOAD_PEERS);
}

describe("load:peers", () => {
  it("runs what all do, on what a user would pick instead", () => {
    const { works, servers, phoenix } = optionsOf([]);
    assert.deepEqual(works, ["echo", "fanout", "memory"]);
    assert.deepEqual(servers, [
      "bare",
      "simurgh",
      "portable",
      "attached",
      "ws",
      "socket.io",
      "socket.io-uws",
      "bun",
    ]);
    assert.equal(phoenix, undefined);
  });
  it("adds a Phoenix server that is given, with its process", () => {
    const url = "ws://127.0.0.1:4000/socket/websocket";
    const { servers, phoenix } = optionsOf(["--phoenix", url, "--phoenix-pid", "7"]);
    assert.deepEqual(phoenix, { url, pid: 7 });
    assert.equal(servers.at(-1), "phoenix");
    assert.deepEqual(servers.slice(0, -1), LOAD_PEERS.servers);
  });
  it("says what is wrong with a Phoenix server", () => {
    const taken = "ws://127.0.0.1:1/socket/websocket";
    assert.throws(() => optionsOf(["--phoenix", taken]), /got none on port 1; if it runs as/);
    assert.throws(() => optionsOf(["--phoenix", "http://127.0.0.1:1/"]), /begins with ws:/);
    assert.throws(() => optionsOf(["--servers", "bare,phoenix"]), /needs --phoenix URL, got none/);
  });
  it("has a help that names its script and its defaults", () => {
    const help = makeHelp(LOAD_PEERS);
    assert.match(help, /^npm run load:peers -- /);
    assert.match(
      help,
      /\(bare, simurgh, portable, attached, ws, socket\.io,\s+socket\.io-uws, bun; phoenix/,
    );
  });
  it("has a row in words for a server that cannot run here", () => {
    const measured = {
      cpuUsPerMessage: 10,
      timeUsPerMessage: 0,
      bytesPerConnection: 0,
      isServerBehind: false,
      isServerStarved: false,
      latencyP99Us: 100,
      bottleneck: undefined,
      deaf: 0,
      deafClosed: 0,
    };
    const table = makeTable({ echo: [{ bare: measured }] }, { bun: "no build of Bun for sunos" });
    const cells = table.split("\n").map((line) => line.split(/ {2,}/));
    assert.deepEqual(cells.slice(1), [
      ["echo, 200 connections", "bare", "10.00 µs", "100 µs"],
      ["echo, 200 connections", "bun", "no build of Bun for sunos"],
      [""],
    ]);
  });
});

describe("chooseBun", () => {
  const machine = { platform: "linux", arch: "x64", isGlibc: true, hasAvx2: true };
  it("takes the build for the processor", () => {
    assert.deepEqual(chooseBun(machine), { folder: "bun", name: "@oven/bun-linux-x64" });
    assert.deepEqual(chooseBun({ ...machine, hasAvx2: false }), {
      folder: "bun-baseline",
      name: "@oven/bun-linux-x64-baseline",
    });
    assert.deepEqual(chooseBun({ ...machine, arch: "arm64", hasAvx2: false }), {
      folder: "bun",
      name: "@oven/bun-linux-aarch64",
    });
  });
  it("says in words where there is none", () => {
    for (const [without, words] of [
      [{ isGlibc: false }, /no build of Bun for linux x64 without glibc is named/],
      [{ platform: "darwin", isGlibc: false }, /no build of Bun for darwin x64 is named/],
      [{ arch: "s390x" }, /no build of Bun for linux s390x is named/],
    ] as const) {
      assert.match(chooseBun({ ...machine, ...without }) as string, words);
    }
  });
});

describe("the process that listens on a port", () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0FA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31415 1 0 100 0 0 10 0
   1: 0100007F:0FA0 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 27182 1 0 20 4 30 10 -1
   2: 00000000:1FA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 16180 1 0 100 0 0 10 0
`;
  it("is told from those that are connected to it, and from other ports", () => {
    assert.deepEqual(listeningInodes(table, 4000), ["31415"]);
    assert.deepEqual(listeningInodes(table, 8096), ["16180"]);
    assert.deepEqual(listeningInodes(table, 4001), []);
  });
  it(
    "is found by the descriptors that it holds",
    { skip: process.platform === "linux" ? false : "it needs Linux" },
    async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      assert.equal(findListener(port), process.pid);
      server.close();
      await once(server, "close");
      assert.equal(findListener(port), undefined);
    },
  );
});
