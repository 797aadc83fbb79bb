import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compare, median, type Round } from "../../scripts/bench/comparison.ts";
import {
  makeCommandLine,
  readMeasurement,
  type Measurement,
} from "../../scripts/bench/generator.ts";
import { parseBenchOptions } from "../../scripts/bench/options.ts";
import { makeTable } from "../../scripts/bench/table.ts";
import { groupWorks, WORKS, type Work, type WorkName } from "../../scripts/bench/works.ts";

function measurement(cpuUsPerMessage: number, bytesPerConnection = 0): Measurement {
  return { ...withP99(undefined), cpuUsPerMessage, bytesPerConnection };
}

/** A run of which 20 clients were deaf, where the server closed `deafClosed` of them. */
function slow(latencyP99Us: number | undefined, deafClosed: number): Measurement {
  return { ...withP99(latencyP99Us), deaf: 20, deafClosed };
}

function withP99(latencyP99Us: number | undefined): Measurement {
  return {
    cpuUsPerMessage: 0,
    timeUsPerMessage: 0,
    bytesPerConnection: 0,
    isServerBehind: false,
    isServerStarved: false,
    latencyP99Us,
    bottleneck: latencyP99Us === undefined ? "the generator was the bottleneck" : undefined,
    deaf: 0,
    deafClosed: 0,
  };
}

function errorOf(words: readonly string[]): string {
  try {
    parseBenchOptions(words);
  } catch (error) {
    return (error as Error).message;
  }
  return "no error";
}

describe("median", () => {
  it("is the middle, whatever the order", () => assert.equal(median([9, 1, 2]), 2));
  it("is between the middle two of an even count", () => assert.equal(median([4, 1, 100, 2]), 3));
  it("of nothing is an error", () => assert.throws(() => median([]), /at least one value/));
});

describe("compare", () => {
  // The machine slowed down threefold in the second round; the ratios do not care.
  const rounds: readonly Round[] = [
    { bare: measurement(10), simurgh: measurement(12) },
    { bare: measurement(30), simurgh: measurement(39) },
    { bare: measurement(10), simurgh: measurement(11) },
  ];

  it("takes ratios within a round, then their median", () => {
    assert.deepEqual(compare(WORKS.echo, "simurgh", rounds), {
      figure: 12,
      relation: { median: 1.2, min: 1.1, max: 1.3 },
      refused: 0,
      behind: 0,
      starved: 0,
    });
  });
  it("takes differences for memory", () => {
    const memory = [{ bare: measurement(0, 1000), ws: measurement(0, 3500) }];
    const spread = { median: 2500, min: 2500, max: 2500 };
    assert.deepEqual(compare(WORKS.memory, "ws", memory)?.relation, spread);
  });
  it("gives the bare engine, or a server without it, no relation", () => {
    const own = { refused: 0, behind: 0, starved: 0 };
    assert.deepEqual(compare(WORKS.echo, "bare", rounds), { ...own, figure: 10 });
    const alone = [{ ws: { ...measurement(5), isServerStarved: true } }];
    assert.deepEqual(compare(WORKS.echo, "ws", alone), { ...own, figure: 5, starved: 1 });
  });
  it("sets a server beside itself in the same round, and leaves out what was refused", () => {
    const without: readonly Round[] = [
      { bare: withP99(1000), simurgh: withP99(2000) },
      { bare: withP99(1000), simurgh: withP99(100) },
      { bare: withP99(1000), simurgh: withP99(undefined) },
    ];
    const beside: readonly Round[] = [
      { bare: slow(1000, 0), simurgh: slow(3000, 20) },
      { bare: slow(undefined, 0), simurgh: slow(undefined, 18) },
      { bare: slow(2000, 0), simurgh: slow(4000, 20) },
    ];
    assert.deepEqual(compare(WORKS["readers-slow"], "simurgh", beside, without), {
      figure: 3500,
      relation: { median: 2.5, min: 2, max: 3 },
      toWithout: { median: 1.5, min: 1.5, max: 1.5 },
      deaf: { count: 20, closed: { median: 20, min: 18, max: 20 } },
      refused: 1,
      behind: 0,
      starved: 0,
    });
  });
  it("has no figure where all rounds were refused", () =>
    assert.deepEqual(compare(WORKS.readers, "bare", [{ bare: withP99(undefined) }]), {
      refused: 1,
      behind: 0,
      starved: 0,
    }));
  it("has nothing to say of a server that was not measured", () =>
    assert.equal(compare(WORKS.echo, "ws", rounds), undefined));
});

describe("makeTable", () => {
  it("prints each server with its ratio, and the verdict on the budget", () => {
    const table = makeTable({
      echo: [
        {
          bare: { ...measurement(10), latencyP99Us: 500 },
          simurgh: { ...measurement(12), latencyP99Us: 750 },
          ws: { ...measurement(20), isServerBehind: true },
        },
      ],
      fanout: [{ bare: measurement(4), simurgh: measurement(4.8) }],
      memory: [{ bare: measurement(0, 1000), simurgh: measurement(0, 900) }],
    });
    const cells = table.split("\n").map((line) => line.split(/ {2,}/));
    assert.deepEqual(cells, [
      ["work", "server", "figure", "to bare", "min – max", "p99", "to bare", "budget"],
      ["echo, 200 connections", "bare", "10.00 µs", "500 µs"],
      [
        "echo, 200 connections",
        "simurgh",
        "12.00 µs",
        "1.20×",
        "1.20× – 1.20×",
        "750 µs",
        "1.50×",
        "1.25×",
        "within",
      ],
      [
        "echo, 200 connections",
        "ws",
        "20.00 µs",
        "2.00×",
        "2.00× – 2.00×",
        "refused",
        "fell behind in 1 of the rounds",
      ],
      ["fan-out, 2 000 on 100 topics, one shard", "bare", "4.00 µs", "refused"],
      [
        "fan-out, 2 000 on 100 topics, one shard",
        "simurgh",
        "4.80 µs",
        "1.20×",
        "1.20× – 1.20×",
        "refused",
        "1.10×",
        "OVER",
      ],
      ["memory of one more joined connection", "bare", "1000 B"],
      [
        "memory of one more joined connection",
        "simurgh",
        "900 B",
        "−100 B",
        "−100 B – −100 B",
        "+1024 B",
        "within",
      ],
      [""],
    ]);
  });
});

describe("makeTable of latencies", () => {
  it("prints both runs of a server, the cut clients, and says where the generator was in the way", () => {
    const refused = withP99(undefined);
    const table = makeTable({
      readers: [
        { bare: withP99(800), simurgh: withP99(1000) },
        { bare: refused, simurgh: withP99(1000) },
      ],
      "readers-slow": [
        { bare: slow(undefined, 0), simurgh: slow(1500, 18) },
        { bare: slow(undefined, 0), simurgh: slow(2500, 20) },
      ],
    });
    const cells = table.split("\n").map((line) => line.split(/ {2,}/));
    const [without, beside] = [WORKS.readers.title, WORKS["readers-slow"].title];
    assert.deepEqual(cells.slice(1), [
      [without, "bare", "800 µs", "generator was the bottleneck in 1 of the rounds"],
      [without, "simurgh", "1000 µs", "1.25×", "1.25× – 1.25×", "1.50×", "within"],
      [beside, "bare", "refused", "cut 0 of 20; generator was the bottleneck in 2 of the rounds"],
      [
        beside,
        "simurgh",
        "2000 µs",
        "2.00× its own figure without them (1.50× – 2.50×); cut 18 – 20 of 20",
      ],
      [""],
    ]);
  });
});

describe("groupWorks", () => {
  it("runs a work in the rounds of the one that it is set beside, where that is run", () => {
    assert.deepEqual(groupWorks(["echo", "readers", "readers-slow"]), [
      ["echo"],
      ["readers", "readers-slow"],
    ]);
    assert.deepEqual(groupWorks(["readers-slow"]), [["readers-slow"]]);
  });
  it("finds each work beside which one is set, and the same load there but for the slow clients", () => {
    const works: readonly Work[] = Object.values(WORKS);
    for (const work of works.filter(({ beside }) => beside !== undefined)) {
      const other: Work | undefined = WORKS[work.beside as WorkName];
      assert.deepEqual(work.load, [...other.load, "--deaf", "20"]);
      assert.equal(work.figure, other.figure);
    }
  });
});

describe("parseBenchOptions", () => {
  it("runs all works on all servers by default", () => {
    const options = parseBenchOptions([]);
    assert.deepEqual(options.works, Object.keys(WORKS));
    assert.deepEqual(options.servers, ["bare", "simurgh", "serial", "ws"]);
    assert.deepEqual([options.pairs, options.seconds, options.json], [3, 3, false]);
  });
  it("keeps the table's order, whatever order the names are given in", () =>
    assert.deepEqual(parseBenchOptions(["--only", "memory,echo"]).works, ["echo", "memory"]));
  it("names the option, what it takes, and what it got", () => {
    assert.equal(
      errorOf(["--only", "ecko"]),
      "only must be one or more of echo, fanout, fanout-2, hot, joins, echo-8k, memory, readers, readers-slow, got ecko",
    );
    assert.equal(errorOf(["--pairs", "0"]), "pairs must be an integer from 1 to 100, got 0");
    assert.equal(errorOf(["--pairs", "101"]), "pairs must be an integer from 1 to 100, got 101");
    assert.equal(errorOf(["--seconds", "1.5"]), "seconds must be an integer from 1 to 60, got 1.5");
    assert.match(errorOf(["--second", "1"]), /--second/);
  });
});

describe("generator", () => {
  const server = { url: "ws://127.0.0.1:1/socket/websocket", pid: 7, protocol: "phoenix" } as const;
  const tail = ["--url", server.url, "--protocol", "phoenix", "--server-pid", "7", "--json"];

  it("is told how long to measure, except where the work has its own end", () => {
    const echo = makeCommandLine(WORKS.echo, 4, server);
    assert.deepEqual(echo, [...WORKS.echo.load, "--duration", "4s", ...tail]);
    assert.deepEqual(makeCommandLine(WORKS.memory, 4, server), [...WORKS.memory.load, ...tail]);
  });
  it("has its line of JSON read, refused latencies as absent", () => {
    const line = {
      window: {
        serverCpuUsPerMessage: 2.5,
        rateReached: 4_000,
        isServerBehind: false,
        isServerStarved: false,
        latencyUs: null,
        bottleneck: "the generator was the bottleneck",
      },
      memory: { bytesPerConnection: 1000 },
      deaf: 0,
      deafClosed: 0,
    };
    const measured = { ...measurement(2.5, 1000), timeUsPerMessage: 250 };
    assert.deepEqual(readMeasurement(JSON.stringify(line)), measured);
    const window = { ...line.window, latencyUs: { p99: 70 }, bottleneck: null };
    const heard = readMeasurement(JSON.stringify({ ...line, window, deaf: 20, deafClosed: 19 }));
    assert.deepEqual(heard, {
      ...slow(70, 19),
      cpuUsPerMessage: 2.5,
      timeUsPerMessage: 250,
      bytesPerConnection: 1000,
    });
    assert.throws(
      () => readMeasurement(JSON.stringify({ ...line, memory: null })),
      /must have measured the server/,
    );
  });
});
