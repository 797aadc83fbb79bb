/**
 * The guide to debugging: its program that prints frames, its log lines and reasons.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process, the programs are not.
 */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { serve } from "../../src/index.ts";
import { LOG_LINES } from "../../src/log/logger.ts";
import { REASON } from "../../src/protocol/reserved.ts";
import { CommandLine } from "../support/command-line.ts";
import { within } from "../support/deadline.ts";
import { connectPhoenix, disconnect, join } from "../support/phoenix-client.ts";
import { describeConnections } from "./debugging/inspect.ts";

const FOLDER = fileURLToPath(new URL("../../../test/examples/debugging/", import.meta.url));
const GUIDE = readFileSync(`${FOLDER}README.md`, "utf8");
const APP = new URL("./debugging/app.js", import.meta.url);
/** Reasons that are not reserved: those of the app, and those of its schemas. */
const OTHER_REASONS = ["yours", "`invalid_payload`"];

/** The cells of the table under a heading, by row. */
function tableUnder(heading: string): string[][] {
  const [, section = ""] = GUIDE.split(`## ${heading}\n`);
  const rows = section.split("\n## ", 1)[0]?.match(/^\| .* \|$/gm) ?? [];
  return rows.slice(2).map((row) =>
    row
      .split("|")
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
}

/** Runs the guide's program until it has printed a line that matches. */
async function framesUntil(pattern: RegExp, ...args: readonly string[]): Promise<string> {
  const program: ChildProcess = spawn(process.execPath, [`${FOLDER}frames.mjs`, ...args]);
  try {
    let output = "";
    while (!pattern.test(output)) {
      const data = once(program.stdout as NonNullable<typeof program.stdout>, "data");
      output += String((await within(data, `${pattern} after ${output}`))[0]);
    }
    return output;
  } finally {
    program.kill("SIGKILL");
  }
}

describe("the guide to debugging", () => {
  let command: CommandLine;
  let address: string;

  before(async () => {
    const options = ["--host", "127.0.0.1", "--port", "0", "--shards", "1", "--log-level", "debug"];
    command = new CommandLine(["serve", fileURLToPath(APP), ...options]);
    address = `ws://127.0.0.1:${await command.port()}/socket`;
  });
  after(async () => {
    command.kill("SIGTERM");
    await command.ended();
  });

  it("shows the frames of a join, as its program prints them", async () => {
    const [, shown = ""] = /^```\n(> [\s\S]*?)```$/m.exec(GUIDE) ?? [];
    const printed = await framesUntil(/^< .*\n/m, address, "room:lobby", '{"password":"rose"}');
    assert.equal(printed, shown);
  });

  it("shows the log line of a refused join", async () => {
    const [, shown = "{}"] = /```json\n([\s\S]*?)```/.exec(GUIDE) ?? [];
    await command.logged("REFUSED JOIN");
    const line = command.err.split("\n").find((text) => text.includes("REFUSED JOIN")) ?? "{}";
    const [expected, written] = [shown, line].map((text) => {
      const { time, durationMs, connection, ...rest } = JSON.parse(text) as Record<string, unknown>;
      for (const number of [time, durationMs, connection]) assert.equal(typeof number, "number");
      return rest;
    });
    assert.deepEqual(written, expected);
  });

  it("has the telemetry of joins printed by the app", async () => {
    await command.printed(/^room:lobby: error after \d+ ms$/m);
  });

  it("says when a connection is refused", async () => {
    assert.equal(await framesUntil(/\n/, `${address}/wrong`, "room:lobby"), "refused with 404\n");
    const banned = await framesUntil(/\n/, `${address}?user=banned`, "room:lobby");
    assert.equal(banned, "refused with 403\n");
  });

  it("names reasons of joins and log lines that exist", () => {
    const rows = [
      ...tableUnder("Why a join is refused"),
      ...tableUnder("Why a connection is refused"),
    ];
    assert.equal(rows.length, 15);
    const lines = Object.values(LOG_LINES).map(({ text }) => text);
    for (const [, , log = ""] of rows) {
      const [, line] = /`([^`]+)`/.exec(log) ?? [];
      if (log !== "" && !log.startsWith("none;"))
        assert.ok(
          lines.some((text) => text.startsWith(line ?? "none")),
          log,
        );
    }
    const reasons = Object.values(REASON).map((reason) => `\`${reason}\``);
    for (const [reason = ""] of tableUnder("Why a join is refused")) {
      assert.ok([...reasons, ...OTHER_REASONS].includes(reason), reason);
    }
  });

  it("describes the connections of a running server", async () => {
    const server = await serve({
      app: APP,
      host: "127.0.0.1",
      port: 0,
      shards: 1,
      logLevel: "silent",
    });
    const socket = await connectPhoenix(server.port);
    try {
      await join(socket.channel("room:lobby", { password: "sesame" }));
      const [line = ""] = await describeConnections(server);
      assert.match(line, /^\d+ of users:1, shard 0: room:lobby \(joined\)$/);
    } finally {
      await disconnect(socket);
      await server.close();
    }
  });
});
