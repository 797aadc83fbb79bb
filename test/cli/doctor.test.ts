/**
 * `simurgh doctor`, as a process and its lines.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { linesOf } from "../../src/cli/doctor.ts";
import type { Examination } from "../../src/server/examination.ts";
import { canSharePort } from "../../src/transport/engine/portable/portable-engine.ts";
import { CommandLine } from "../support/command-line.ts";

const NATIVE: Examination = {
  nodeVersion: "v24.1.0",
  system: "linux x64",
  glibc: "2.41",
  engine: {
    kind: "native",
    name: "uWebSockets.js",
    version: "20.57.0",
    maxShards: 64,
    passedOver: [],
  },
  shards: 4,
  wantedShards: 4,
  maxConnections: 60_000,
  descriptorLimit: 65_536,
};

describe("simurgh doctor", () => {
  it("prints the engine that was asked for, and exits with 0", async () => {
    const args = ["doctor", "--engine", "portable", "--shards", "3"];
    await using command = new CommandLine(args);
    const { code, out, err } = await command.ended();
    assert.deepEqual({ code, err }, { code: 0, err: "" });
    assert.match(
      out,
      new RegExp(`Node.js +${process.version}, ${process.platform} ${process.arch}`),
    );
    assert.match(out, /engine +node:http and ws \d+\.\d+\.\d+ \(portable\)\n/);
    const shards = canSharePort(process.platform, process.versions.node) ? "3\n" : "1 of 3\n";
    assert.match(out, new RegExp(`shards +${shards}`));
    assert.match(out, /connections +at most \d+; \d+ open files/);
  });

  it("prints why there is none, and exits with 1", async () => {
    await using command = new CommandLine(["doctor", "app.js", "--engine", "./none.js"]);
    const { code, out, err } = await command.ended();
    assert.deepEqual({ code, out }, { code: 1, out: "" });
    assert.match(
      err,
      /^simurgh: engine \(SIMURGH_ENGINE\) must be auto, native, portable, or .*, got "\.\/none\.js"\n$/,
    );
  });

  it("takes one app module", async () => {
    await using command = new CommandLine(["doctor", "a.js", "b.js"]);
    const { code, err } = await command.ended();
    assert.equal(code, 2);
    assert.equal(err, "simurgh: doctor must be given at most one app module, got a.js b.js\n");
  });

  it("says what runs", () => {
    assert.deepEqual(linesOf(NATIVE), [
      "Node.js      v24.1.0, linux x64, glibc 2.41",
      "engine       uWebSockets.js 20.57.0 (native)",
      "shards       4",
      "connections  at most 60000; 65536 open files",
    ]);
    const [mac] = linesOf({ ...NATIVE, system: "darwin arm64", glibc: undefined });
    assert.equal(mac, "Node.js      v24.1.0, darwin arm64");
  });

  it("says why no faster engine runs, what limits the server, and what to do", () => {
    const found: Examination = {
      ...NATIVE,
      glibc: undefined,
      engine: {
        kind: "portable",
        name: "node:http and ws",
        version: "8.23.0",
        maxShards: 1,
        passedOver: [
          {
            engine: "uWebSockets.js 20.57.0",
            reason: "needs glibc, and this system has another C library (musl?)",
            advice: "use an image with glibc",
          },
        ],
      },
      shards: 1,
      maxConnections: 900,
      descriptorLimit: 1_024,
    };
    assert.deepEqual(linesOf(found), [
      "Node.js      v24.1.0, linux x64, no glibc (musl?)",
      "engine       node:http and ws 8.23.0 (portable)",
      "             not uWebSockets.js 20.57.0, which needs glibc, and this system has another C library (musl?)",
      "             what to do: use an image with glibc",
      "shards       1 of 4",
      "             with the portable engine, shards share a port only on Linux with Node.js 22.12 or later",
      "connections  at most 900; 1024 open files",
      "             for more, raise the limit of open files: ulimit -n 65536",
    ]);
  });
});
