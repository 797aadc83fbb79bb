/**
 * How long commands take, and how far they have come.
 *
 * Runs on: the test's thread; commands are processes of their own.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { BENCH, parseBenchOptions } from "../../scripts/bench/options.ts";
import { describeLeft, describeTime, drawBar, Steps } from "../../scripts/bench/time-left.ts";
import { secondsOfWorks } from "../../scripts/bench/works.ts";
import { CHECK_SECONDS } from "../../scripts/capacity/check.ts";
import { secondsOfFaults } from "../../scripts/chaos/chaos.ts";
import { secondsOfFuzz } from "../../scripts/fuzz/fuzz.ts";
import { secondsOfLoad } from "../../scripts/load/run.ts";
import { parseSweepOptions } from "../../scripts/load/shards/options.ts";
import { secondsOf } from "../../scripts/load/shards/plan.ts";
import { runScript } from "../support/program.ts";

const SCREEN = { lines: 24, columns: 100 };
const COMMANDS = [
  "bench/main",
  "bench/check",
  "load/main",
  "load/shards/main",
  "load/peers/main",
  "load/calls/main",
  "load/drops/main",
  "soak/main",
  "chaos/main",
  "fuzz/main",
  "capacity/main",
  "account/main",
];

function bench(...words: string[]): number {
  const { works, servers, pairs, seconds } = parseBenchOptions(words, BENCH);
  return secondsOfWorks(works, { servers: servers.length, pairs, seconds });
}

function sweep(...words: string[]): number {
  return secondsOf(parseSweepOptions(words));
}

describe("the progress of a command", () => {
  it("is a bar", () => {
    assert.equal(drawBar(0.5), "[############------------]");
    assert.equal(drawBar(7), "[########################]");
  });

  it("is rounded to what can be known of a time", () => {
    assert.equal(describeTime(1_200), "2 s");
    assert.equal(describeTime(89_000), "89 s");
    assert.equal(describeTime(91_000), "2 min");
    assert.equal(describeTime(119 * 60_000), "119 min");
    assert.equal(describeTime(3 * 3_600_000), "3 h");
  });

  it("estimates what is left from the steps so far", () => {
    assert.equal(describeLeft(0, 10, 0), "0 %");
    assert.equal(describeLeft(4, 10, 40_000), "40 %, about 60 s left");
    assert.equal(describeLeft(5, 10, 300_000), "50 %, about 5 min left");
    assert.equal(describeLeft(10, 10, 600_000), "100 %");
  });

  it("has a line for each step", () => {
    const steps = new Steps(2);
    assert.match(steps.done("one"), /^\[#{12}-{12}\] 50 %, about \d s left {2}one$/);
    assert.equal(steps.done("two"), `[${"#".repeat(24)}] 100 %  two`);
  });
});

describe("the estimate of a command", () => {
  it("follows from its own options", () => {
    assert.equal(bench("--only", "echo", "--servers", "bare,ws", "--pairs", "3"), 2 * 3 * (4 + 3));
    assert.equal(bench("--only", "echo", "--pairs", "1", "--seconds", "60"), 4 * (4 + 60));
    assert.ok(bench("--only", "joins", "--seconds", "60") === bench("--only", "joins"));

    assert.ok(sweep("--quick") < sweep() / 2);
    assert.equal(sweep("--only", "shards", "--rounds", "6"), 2 * sweep("--only", "shards"));
    assert.equal(sweep("--only", "cost", "--rates", "60k"), sweep("--only", "cost") / 3);

    assert.equal(secondsOfFuzz({ frames: 30_000, requests: 0, lives: undefined }), 5 + 2);
    assert.equal(secondsOfFuzz({ frames: 0, requests: 30_000, lives: undefined }), 5 + 20);
    assert.equal(secondsOfLoad({ load: ["fanout"], seconds: 10 }), 15);
    assert.equal(CHECK_SECONDS, 154.5);
  });

  it("is that of the faults that chaos tries", () => {
    const fault = { expectation: "It must be so.", run: async () => {} };
    const all = [
      { ...fault, name: "quick", isQuick: true },
      { ...fault, name: "slow", isQuick: false },
      { ...fault, name: "absent", isQuick: false, obstacle: () => "nothing is here" },
    ];
    const options = { list: false, only: [], quick: false };
    assert.equal(secondsOfFaults(options, all), 3 + 7);
    assert.equal(secondsOfFaults({ ...options, quick: true }, all), 3);
    assert.equal(secondsOfFaults({ ...options, list: true }, all), undefined);
  });

  it("is missing where the run itself determines the time", () => {
    assert.equal(secondsOfLoad({ load: ["connect"], seconds: 10 }), undefined);
    assert.equal(secondsOfLoad({ load: ["echo", "--search-p99", "5ms"], seconds: 10 }), undefined);
    assert.equal(secondsOfFuzz({ frames: 9, requests: 9, lives: 1 }), undefined);
  });
});

describe("the help of a command", () => {
  for (const main of COMMANDS) {
    it(`of ${main} fits on a screen, and starts nothing`, async () => {
      const { code, out, err } = await runScript(main, ["--help"], 60_000);
      assert.deepEqual({ code, err }, { code: 0, err: "" });
      const lines = out.trimEnd().split("\n");
      assert.ok(lines.length < SCREEN.lines, `${lines.length} lines`);
      for (const line of lines) assert.ok(line.length <= SCREEN.columns, line);
    });
  }
});
