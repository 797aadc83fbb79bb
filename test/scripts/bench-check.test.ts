import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Round } from "../../scripts/bench/comparison.ts";
import {
  budgeted,
  judgeRing,
  judgeWork,
  makeGateTable,
  SHORT_SLACK,
} from "../../scripts/bench/gate.ts";
import type { Measurement } from "../../scripts/bench/generator.ts";

const NOTHING: Measurement = {
  cpuUsPerMessage: 0,
  timeUsPerMessage: 0,
  bytesPerConnection: 0,
  isServerBehind: false,
  isServerStarved: false,
  latencyP99Us: undefined,
  bottleneck: undefined,
  deaf: 0,
  deafClosed: 0,
};

function echoRound(bare: number, simurgh: number): Round {
  return {
    bare: { ...NOTHING, cpuUsPerMessage: bare },
    simurgh: { ...NOTHING, cpuUsPerMessage: simurgh },
  };
}

function memoryRound(bare: number, simurgh: number): Round {
  return {
    bare: { ...NOTHING, bytesPerConnection: bare },
    simurgh: { ...NOTHING, bytesPerConnection: simurgh },
  };
}

describe("bench:check", () => {
  it("judges every work of the design that has a budget, the short form no latencies", () => {
    const stable = ["echo", "fanout", "fanout-2", "hot", "joins"];
    assert.deepEqual(budgeted(true), [...stable, "echo-8k", "memory", "readers"]);
    assert.deepEqual(budgeted(false), [...stable, "memory"]);
  });

  it("judges the median of the rounds, so that one bad round breaches nothing", () => {
    const rounds = [echoRound(10, 12), echoRound(10, 30), echoRound(20, 24)];
    const { measured, isWithin } = judgeWork("echo", rounds, 1);
    assert.deepEqual(measured, { median: 1.2, min: 1.2, max: 3 });
    assert.equal(isWithin, true);
  });

  it("finds a breach just above the budget, and none on it", () => {
    assert.equal(judgeWork("echo", [echoRound(100, 125)], 1).isWithin, true);
    assert.equal(judgeWork("echo", [echoRound(100, 126)], 1).isWithin, false);
    assert.equal(judgeWork("memory", [memoryRound(1000, 2024)], 1).isWithin, true);
    assert.equal(judgeWork("memory", [memoryRound(1000, 2025)], 1).isWithin, false);
  });

  it("allows the short form its slack, and no more", () => {
    const slack = SHORT_SLACK.relation;
    assert.equal(judgeWork("echo", [echoRound(100, 250)], slack).isWithin, true);
    assert.equal(judgeWork("echo", [echoRound(100, 251)], slack).isWithin, false);
    const noisy = [echoRound(100, 400), echoRound(100, 300)];
    assert.equal(judgeWork("echo", [...noisy, echoRound(100, 250)], slack).isWithin, true);
    assert.equal(judgeWork("echo", [...noisy, echoRound(100, 125)], 1).isWithin, false);
  });

  it("takes the bare engine's echo for 20 µs at least, in the short form only", () => {
    const slack = SHORT_SLACK.relation;
    assert.equal(judgeWork("echo", [echoRound(12, 50)], slack).isWithin, true);
    assert.equal(judgeWork("echo", [echoRound(12, 51)], slack).isWithin, false);
    assert.equal(judgeWork("echo", [echoRound(12, 36)], 1).isWithin, false);
  });

  it("takes a work that nothing was measured of for a breach", () => {
    const { measured, isWithin } = judgeWork("echo", [{}], 1);
    assert.equal(measured, undefined);
    assert.equal(isWithin, false);
  });

  it("wants at least the ring's rate", () => {
    assert.equal(judgeRing([9e6, 5e6, 1e6], 1).isWithin, true);
    assert.equal(judgeRing([4.9e6], 1).isWithin, false);
    assert.equal(judgeRing([1e6], SHORT_SLACK.ring).isWithin, true);
    assert.equal(judgeRing([0.9e6], SHORT_SLACK.ring).isWithin, false);
    assert.equal(judgeRing([0.1e6, 0.2e6, 1e6], SHORT_SLACK.ring).isWithin, true);
  });

  it("shows figure, budget, limit and verdict in a row each", () => {
    const table = makeGateTable([
      judgeWork("echo", [echoRound(10, 13)], 1),
      judgeWork("memory", [memoryRound(1000, 1900)], 1),
      judgeRing([6e6], 1),
    ]);
    assert.deepEqual(
      table.split("\n").map((line) => line.replaceAll(/ {2,}/g, " | ")),
      [
        "work | median | min to max | budget | fails at",
        "echo, 200 connections | 1.30× | 1.30× to 1.30× | 1.25× | 1.25× | BREACH",
        "memory of one more joined connection | bare + 900 B | bare + 900 B to bare + 900 B | bare + 1024 B | bare + 1024 B | within",
        "ring, 64 B records from thread to thread | 6.0 million/s | 6.0 million/s to 6.0 million/s | 5.0 million/s | 5.0 million/s | within",
        "",
      ],
    );
  });
});
