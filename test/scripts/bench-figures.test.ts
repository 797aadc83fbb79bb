/**
 * The file of measured figures: what a run replaces in it, and what it leaves.
 *
 * Runs on: the test's thread. Pure.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { readFigures, withMeasured, type Figures } from "../../scripts/bench/figures.ts";
import type { Measurement } from "../../scripts/bench/generator.ts";
import { BENCH, LOAD_PEERS, makeHelp, parseBenchOptions } from "../../scripts/bench/options.ts";
import { isLeftOut } from "../../scripts/bench/rounds.ts";
import { WORKS } from "../../scripts/bench/works.ts";

function measurement(given: Partial<Measurement>): Measurement {
  return {
    cpuUsPerMessage: 0,
    timeUsPerMessage: 0,
    bytesPerConnection: 0,
    isServerBehind: false,
    isServerStarved: false,
    latencyP99Us: undefined,
    bottleneck: undefined,
    deaf: 0,
    deafClosed: 0,
    ...given,
  };
}

const BEFORE: Figures = {
  echo: {
    measuredOn: "before",
    servers: { bare: { figure: 1 }, simurgh: { figure: 9 }, bun: { relation: { median: 0.9 } } },
  },
  memory: { measuredOn: "before", servers: { bare: { figure: 1_000 } } },
};

describe("measured figures", () => {
  it("replace those of the same work and server, and leave the others", () => {
    const round = {
      bare: measurement({ cpuUsPerMessage: 10, latencyP99Us: 100 }),
      simurgh: measurement({ cpuUsPerMessage: 12, latencyP99Us: 300 }),
    };
    assert.deepEqual(withMeasured(BEFORE, { echo: [round] }, "now"), {
      echo: {
        measuredOn: "now",
        servers: {
          bare: { figure: 10, latencyP99Us: 100 },
          simurgh: {
            figure: 12,
            relation: { median: 1.2, min: 1.2, max: 1.2 },
            latencyP99Us: 300,
          },
          bun: { relation: { median: 0.9 } },
        },
      },
      memory: BEFORE.memory,
    });
  });

  it("say how many clients that did not read were closed", () => {
    const round = { ws: measurement({ latencyP99Us: 5_000, deaf: 20, deafClosed: 3 }) };
    const after = withMeasured({}, { "readers-slow": [round] }, "now");
    assert.deepEqual(after["readers-slow"]?.servers, { ws: { figure: 5_000, deafClosed: 3 } });
  });

  it("are in the file for every work and server that the documents compare", () => {
    const figures = readFigures();
    for (const work of LOAD_PEERS.works) {
      for (const server of LOAD_PEERS.servers) {
        if (server === "bare" || isLeftOut(WORKS[work], server)) continue;
        assert.ok(figures[work]?.servers[server]?.relation, `${server} on ${work}`);
      }
    }
  });

  it("are kept if that is asked for", () => {
    assert.equal(parseBenchOptions([]).save, false);
    assert.equal(parseBenchOptions(["--save"]).save, true);
    assert.match(makeHelp(BENCH), /--save/);
  });
});
