import assert from "node:assert/strict";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { describe, it } from "node:test";

import { Logger, LOG_LINES, type LogLine, type LogSink } from "../../src/log/logger.ts";
import { LOG_LEVELS } from "../../src/options/options.ts";

const LINES = Object.keys(LOG_LINES) as LogLine[];

function makeSink(): { readonly sink: LogSink; readonly written: [string, object, string][] } {
  const written: [string, object, string][] = [];
  const at =
    (level: string) =>
    (fields: object, text: string): void =>
      void written.push([level, fields, text]);
  const sink = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  return { sink, written };
}

interface LoggedLine {
  readonly msg: string;
  readonly topic?: string;
  readonly err?: { readonly message: string; readonly stack: string };
}

/** Runs a script in a process of its own that has Logger. */
function logged(script: string): SpawnSyncReturns<string> {
  const logger = new URL("../../src/log/logger.js", import.meta.url).href;
  const whole = `const { Logger } = await import(${JSON.stringify(logger)});\n${script}`;
  return spawnSync(process.execPath, ["--input-type=module", "-e", whole], { encoding: "utf8" });
}

describe("Logger", () => {
  for (const [rank, level] of LOG_LEVELS.entries()) {
    it(`${level}: writes lines of that level and above, and says so`, () => {
      const { sink, written } = makeSink();
      const logger = new Logger(level, sink);
      const expected: [string, object, string][] = [];
      for (const line of LINES) {
        const isWritten = LOG_LEVELS.indexOf(LOG_LINES[line].level) >= rank;
        assert.equal(logger.isOn(line), isWritten, line);
        logger.log(line, { line });
        if (isWritten) expected.push([LOG_LINES[line].level, { line }, LOG_LINES[line].text]);
      }
      assert.deepEqual(written, expected);
      assert.equal(written.length === 0, level === "silent");
    });
  }

  it("writes a line without fields as an empty object", () => {
    const { sink, written } = makeSink();
    new Logger("info", sink).log("serverClosing");
    assert.deepEqual(written, [["info", {}, "closing"]]);
  });

  it("goes on where the user's sink throws, and writes its line to standard error", () => {
    const { stderr, status } = logged(`
      const broken = { error: () => { throw new Error("disk full"); } };
      new Logger("warn", broken).log("channelCrashed", { topic: "room:1" });
    `);
    const lines = stderr.trim().split("\n");
    const [failure, line] = lines.map((text) => JSON.parse(text) as LoggedLine);
    assert.equal(status, 0);
    assert.equal(lines.length, 2);
    assert.equal(failure?.msg, LOG_LINES.sinkFailed.text);
    assert.equal(failure?.err?.message, "disk full");
    assert.equal(line?.msg, "channel crashed");
    assert.equal(line?.topic, "room:1");
  });

  it("writes to standard error as JSON before the process ends, without a sink", () => {
    const { stderr, stdout, status } = logged(`
      new Logger("warn").log("channelCrashed", { topic: "room:1", err: new Error("boom") });
      new Logger("warn").log("joined", { topic: "room:2" });
      process.exit(3);
    `);
    const line = JSON.parse(stderr) as LoggedLine;
    assert.equal(status, 3);
    assert.equal(stdout, "");
    assert.equal(line.msg, "channel crashed");
    assert.equal(line.topic, "room:1");
    assert.equal(line.err?.message, "boom");
    assert.match(line.err?.stack ?? "", /^Error: boom\n/);
  });
});
