import assert from "node:assert/strict";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { describe, it } from "node:test";
import { setImmediate as settled } from "node:timers/promises";

import { Logger, LOG_LINES, type LogLine } from "../../src/log/logger.ts";
import type { LogSink } from "../../src/log/sink.ts";
import { makeJsonSink } from "../../src/log/sink.ts";
import { LOG_LEVELS } from "../../src/options/options.ts";
import { WHATEVER } from "../support/whatever.ts";

const LINES = Object.keys(LOG_LINES) as LogLine[];

function fillDisk(): never {
  assert.fail("disk full");
}

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
  readonly err?: {
    readonly message: string;
    readonly stack: string;
    readonly code?: string;
    readonly aggregateErrors?: readonly { readonly message: string }[];
  };
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

  for (const [how, fail] of [
    ["throws", fillDisk],
    ["rejects", async () => assert.fail("disk full")],
    [
      "throws what throws when it is read",
      () => {
        throw new Proxy({}, { get: () => assert.fail("read") });
      },
    ],
  ] as const) {
    it(`gives its line to the fallback if the user's sink ${how}`, async () => {
      const { sink: fallback, written } = makeSink();
      const broken = { debug: fail, info: fail, warn: fail, error: fail };
      new Logger("warn", broken, { fallback }).log("channelCrashed", { topic: "room:1" });
      await settled();
      const [failure, line] = written;
      assert.equal(written.length, 2);
      assert.equal(failure?.[2], LOG_LINES.sinkFailed.text);
      assert.deepEqual(line, ["error", { topic: "room:1" }, "channel crashed"]);
    });
  }

  it("goes on if the fallback throws too", () => {
    const broken = { debug: fillDisk, info: fillDisk, warn: fillDisk, error: fillDisk };
    new Logger("warn", broken, { fallback: broken }).log("channelCrashed");
    new Logger("warn", broken).log("channelCrashed");
  });

  it("cuts text in fields, and says how much is missing", () => {
    const { sink, written } = makeSink();
    const long = "x".repeat(1_000_000);
    const logger = new Logger("debug", sink);
    logger.log("unmatchedTopic", {
      topic: long,
      event: { deep: [long] },
      params: { [long]: long },
    });
    const cut = `${"x".repeat(1_024)}... (998976 more characters)`;
    const fields = { topic: cut, event: { deep: [cut] }, params: { [cut]: cut } };
    assert.deepEqual(written, [["warn", fields, "unmatched topic"]]);
  });

  it("filters what clients send as params", () => {
    const { sink, written } = makeSink();
    const params = { token: "secret", room: 1 };
    new Logger("debug", sink).log("joined", { params });
    new Logger("debug", sink, { filter: ["room"] }).log("joined", { params });
    assert.deepEqual(
      written.map(([, fields]) => fields),
      [
        { params: { token: "[FILTERED]", room: 1 } },
        { params: { token: "secret", room: "[FILTERED]" } },
      ],
    );
  });

  for (const [what, thrown] of WHATEVER) {
    it(`writes what was thrown as one line of JSON: ${what}`, () => {
      const lines: string[] = [];
      const sink = makeJsonSink({ write: (line) => void lines.push(line) });
      new Logger("debug", sink).log("channelCrashed", { topic: "room:1", err: thrown });
      const [line = ""] = lines;
      assert.equal(lines.length, 1);
      assert.ok(line.length < 32_000, `${line.length} characters`);
      const { msg, topic, err } = JSON.parse(line) as LoggedLine;
      assert.deepEqual([msg, topic], ["channel crashed", "room:1"]);
      assert.notEqual(err?.message, "");
    });
  }

  it("writes an error with its causes, and with the errors in it", () => {
    const lines: string[] = [];
    const logger = new Logger("debug", makeJsonSink({ write: (line) => void lines.push(line) }));
    const errors = [new Error("::1 refused"), new Error("127.0.0.1 refused")];
    const cause = Object.assign(new AggregateError(errors), { code: "ECONNREFUSED" });
    logger.log("adapterFailed", { err: new Error("no database", { cause }) });
    logger.log("adapterFailed", { err: cause });
    const [whole, inner] = lines.map((line) => (JSON.parse(line) as LoggedLine).err);
    assert.equal(whole?.message, "no database: ::1 refused; 127.0.0.1 refused");
    assert.match(whole?.stack ?? "", /^Error: no database\n[\s\S]*\ncaused by: AggregateError/);
    assert.equal(inner?.code, "ECONNREFUSED");
    assert.deepEqual(
      inner?.aggregateErrors?.map(({ message }) => message),
      ["::1 refused", "127.0.0.1 refused"],
    );
  });

  it("writes the class of an error as its type, also if the error has a property of that name", () => {
    const lines: string[] = [];
    const logger = new Logger("debug", makeJsonSink({ write: (line) => void lines.push(line) }));
    const details = { type: "entity.too.large", status: 413 };
    logger.log("routeFailed", { err: Object.assign(new RangeError("too large"), details) });
    const [{ err } = {}] = lines.map((line) => JSON.parse(line) as { readonly err?: object });
    assert.deepEqual(
      { ...err, stack: "" },
      {
        type: "RangeError",
        message: "too large",
        stack: "",
        status: 413,
      },
    );
  });

  it("suppresses lines beyond its limits, and says how many", () => {
    const { sink, written } = makeSink();
    const limits = { linesPerSecond: 100, linesPerConnection: 2 };
    const logger = new Logger("debug", sink, { limits });
    for (let n = 0; n < 5; n += 1) logger.log("unmatchedTopic", { connection: 7, n });
    logger.log("unmatchedTopic", { connection: 8 });
    logger.log("malformedFrame", { connection: 7 });
    logger.reportSuppressed();
    logger.reportSuppressed();
    assert.deepEqual(
      written.map(([, fields, text]) => [text, fields]),
      [
        ["unmatched topic", { connection: 7, n: 0 }],
        ["unmatched topic", { connection: 7, n: 1 }],
        ["unmatched topic", { connection: 8 }],
        ["malformed frame: the connection was closed", { connection: 7 }],
        [LOG_LINES.linesSuppressed.text, { count: 3, lines: { unmatchedTopic: 3 } }],
      ],
    );
  });

  it("writes lines of other code at their level, filtered, cut, and with the common fields", () => {
    const { sink, written } = makeSink();
    const own = new Logger("info", sink).sinkFor("transport lines", { transport: "lines" });
    const params = { token: "secret" };
    own.debug({}, "not shown");
    own.info({ params }, "one");
    own.warn({ transport: "another" }, "two");
    own.error({ err: "boom" }, "x".repeat(2_000));
    (own as unknown as { error(): void }).error();
    const cut = `${"x".repeat(1_024)}... (976 more characters)`;
    assert.deepEqual(written.slice(0, 2), [
      ["info", { params: { token: "[FILTERED]" }, transport: "lines" }, "one"],
      ["warn", { transport: "lines" }, "two"],
    ]);
    const [level, fields, text] = written[2] ?? assert.fail("the error is missing");
    assert.deepEqual([level, text], ["error", cut]);
    assert.ok((fields as { readonly err: unknown }).err instanceof Error);
    assert.deepEqual(written[3], ["error", { transport: "lines" }, "undefined"]);
  });

  it("writes a line of other code that cannot be read, instead of throwing", () => {
    const { sink, written } = makeSink();
    const own = new Logger("info", sink).sinkFor("transport lines", { transport: "lines" });
    const odd = own as unknown as { error(fields: unknown, text: unknown): void };
    odd.error({}, Object.create(null));
    odd.error(
      {
        get boom(): never {
          throw new Error("boom");
        },
      },
      "text",
    );
    odd.error({ connection: Symbol("7") }, "text");
    odd.error(null, "text");
    assert.deepEqual(
      written.map(([, , text]) => text),
      ["a line that cannot be read", "a line that cannot be read", "text", "text"],
    );
  });

  it("limits lines of other code by kind and level, and by connection", () => {
    const { sink, written } = makeSink();
    const limits = { linesPerSecond: 8, linesPerConnection: 2 };
    const logger = new Logger("debug", sink, { limits });
    const own = logger.sinkFor("transport lines", {});
    for (let n = 0; n < 3; n += 1) own.warn({ connection: 7 }, "of one client");
    for (let n = 0; n < 3; n += 1) own.warn({}, "of none");
    own.error({}, "worse");
    logger.reportSuppressed();
    assert.deepEqual(
      written.map(([, , text]) => text),
      ["of one client", "of one client", "of none", "of none", "worse"].concat(
        LOG_LINES.linesSuppressed.text,
      ),
    );
    assert.deepEqual(written.at(-1)?.[1], { count: 2, lines: { "transport lines warn": 2 } });
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
