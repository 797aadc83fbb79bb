/**
 * The generator against real peers: it plays echo and fan-out in the protocol of each, and fails where
 * a message is missing, doubled, out of order or not the one that was asked for.
 *
 * Socket.IO and Bun are met where `npm run load:peers` has installed them.
 *
 * Runs on: the test's thread; servers and generator are processes of their own.
 * Slow: it needs the load generator, which has to be built.
 */

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { buildGenerator, makeCommandLine, runGenerator } from "../../scripts/bench/generator.ts";
import { startServer, type ServerName } from "../../scripts/bench/servers.ts";
import type { Work } from "../../scripts/bench/works.ts";
import { hasPeer } from "../../scripts/load/peers/packages.ts";
import { noCompiler } from "../support/compiler.ts";

const SHORT = "--warmup 100ms --duration 300ms --settle 0s".split(" ");
const ECHO = "echo --connections 6 --rate 200".split(" ");
const FANOUT = "fanout --connections 12 --topics 3 --rate 100".split(" ");

function workOf(load: readonly string[]): Work {
  return {
    title: "short",
    load: [...load, ...SHORT],
    // The load says how long.
    hasDuration: false,
    besidesSeconds: 1,
    shards: 1,
    figure: "cpuUsPerMessage",
  };
}

const skipSocketIo = hasPeer("socket.io") ? false : "Socket.IO is installed by npm run load:peers";
const skipBun = hasPeer("bun") ? false : "Bun is installed by npm run load:peers";

const SERVERS: readonly (readonly [ServerName, false | string])[] = [
  ["bare", false],
  ["attached", false],
  ["ws", false],
  ["socket.io", skipSocketIo],
  ["socket.io-uws", skipSocketIo],
  ["bun", skipBun],
];

describe("native-bench", { skip: noCompiler }, () => {
  before(buildGenerator);
  for (const [name, skip] of SERVERS) {
    it(`gets every echo and every broadcast of ${name}`, { skip }, async () => {
      const server = await startServer(name, undefined);
      try {
        for (const load of [ECHO, FANOUT]) {
          const { cpuUsPerMessage } = await runGenerator(makeCommandLine(workOf(load), 1, server));
          assert.ok(cpuUsPerMessage > 0, `${cpuUsPerMessage} µs`);
        }
      } finally {
        await server.stop();
      }
    });
  }
});
