/**
 * `npm run load:shards`: its turns, its advice and its page.
 *
 * Runs on: the test's thread; servers, generators and Chromium are processes of their own.
 * Slow: it runs a load test and a browser.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { buildGenerator } from "../../scripts/bench/generator.ts";
import type { Machine } from "../../scripts/load/machine.ts";
import type { GeneratorResult } from "../../scripts/load/result.ts";
import { relate } from "../../scripts/load/shards/comparison.ts";
import { whyPerfDoesNotCount } from "../../scripts/load/calls/perf.ts";
import {
  broadcastsOf,
  costRows,
  makeCell,
  makeCostTable,
  type CostRecord,
  type CostTurn,
} from "../../scripts/load/shards/cost.ts";
import { costTurnOf, costWords, measureCost } from "../../scripts/load/shards/cost-turn.ts";
import { environmentOf, type Dimension } from "../../scripts/load/shards/dimensions.ts";
import { HELP, parseSweepOptions } from "../../scripts/load/shards/options.ts";
import { makeSweepPage } from "../../scripts/load/shards/page.ts";
import { planCosts, planTurns } from "../../scripts/load/shards/plan.ts";
import { recommend, type Measured } from "../../scripts/load/shards/recommendation.ts";
import { keepEarlier, type SweepRecord } from "../../scripts/load/shards/record.ts";
import {
  fixedWords,
  makeTurn,
  measureTurn,
  searchWords,
  type Turn,
} from "../../scripts/load/shards/turn.ts";
import { noBrowser, startBrowser } from "../support/browser.ts";
import { noCompiler } from "../support/compiler.ts";
import { CUT_OFF, OVERLAPS, SCROLLS, SHOWN } from "../support/page-checks.ts";

const COALESCE: Dimension = { name: "coalesce", values: ["0", "5", "20"], fallback: "0" };

function turn(changes: Partial<Turn> = {}): Turn {
  return {
    p99Us: 2_000,
    cpuUs: 10,
    fixedMarks: [],
    throughput: 50_000,
    searchMarks: [],
    limit: null,
    ...changes,
  };
}

/** Three turns whose CPU differs by a little, as it does. */
function turns(cpuUs: number, changes: Partial<Turn> = {}): readonly Turn[] {
  return [0.98, 1, 1.02].map((noise) => turn({ cpuUs: cpuUs * noise, ...changes }));
}

/** Turns whose search the generator ended. */
function bound(throughput: number, cpuUs: number): readonly Turn[] {
  return turns(cpuUs, { throughput, searchMarks: ["generator"] });
}

function plain(text: string): string {
  return text.replaceAll("\u202f", " ");
}

function errorOf(words: readonly string[]): string {
  try {
    parseSweepOptions(words);
  } catch (error) {
    return (error as Error).message;
  }
  return "no error";
}

describe("the options of a sweep", () => {
  it("have the default among the values of each dimension, in rising order", () => {
    const { dimensions } = parseSweepOptions(["--coalesce", "20,5", "--ring", "65536"]);
    const values = new Map(dimensions.map((one) => [one.name, one.values]));
    assert.deepEqual(values.get("coalesce"), ["0", "5", "20"]);
    assert.deepEqual(values.get("ring"), ["auto", "65536"]);
  });
  it("leave the load to the generator, whose later words win", () =>
    assert.equal(
      parseSweepOptions(["echo", "--rate", "1k"]).load.join(" "),
      "echo --connections 200 --rate 2k --threads 2 --rate 1k",
    ));
  it("have rates and numbers of shards for the cost, each once and in rising order", () => {
    const { cost, dimensions } = parseSweepOptions(
      "--only cost --shards 4,1,4 --rates 200k,60000".split(" "),
    );
    assert.deepEqual(cost, { shards: [1, 4], rates: [60_000, 200_000] });
    assert.deepEqual(dimensions, []);
    const whole = { shards: [1, 2, 4, 8], rates: [60_000, 200_000, 400_000] };
    assert.deepEqual(parseSweepOptions([]).cost, whole);
    assert.equal(parseSweepOptions(["--only", "ring"]).cost, undefined);
  });
  it("refuse a load for the cost alone, which would be ignored", () =>
    assert.equal(
      errorOf(["--only", "cost", "--payload", "512"]),
      "cost has a load of its own, which --rates varies, got --payload 512",
    ));
  it("fit a screen with their help", () => {
    const lines = HELP.trimEnd().split("\n");
    assert.ok(lines.length <= 24, `${lines.length} lines`);
    assert.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
    );
  });
  it("refuse what no server would take, by the table of the options", () => {
    assert.equal(
      errorOf(["--shards", "0"]),
      "SIMURGH_SHARDS must be an integer from 1 to 64 (shards), got 0",
    );
    assert.match(errorOf(["--ring", "65537"]), /^SIMURGH_RING_BYTES must be a power of two/);
    assert.equal(errorOf(["--rounds", "1"]), "rounds must be an integer from 2 to 20, got 1");
    assert.equal(
      errorOf(["--only", "rings"]),
      "only must be one or more of shards, coalesce, ring, cost, got rings",
    );
    assert.equal(
      errorOf(["--rates", "60k,0"]),
      "rates must be integers from 1k to 10000k (deliveries per second), got 0",
    );
    assert.equal(errorOf(["connect"]), "the scenario must be echo or fanout, got connect");
    assert.match(errorOf(["--warmup", "1s"]), /^warmup must not be given/);
  });
});

describe("the plan of a sweep", () => {
  it("has every setting once in each round, and turns the order around", () =>
    assert.deepEqual(
      planTurns([COALESCE], 2).map(({ value, round }) => `${round}: ${value}`),
      ["1: 0", "1: 5", "1: 20", "2: 20", "2: 5", "2: 0"],
    ));
  it("has all servers of a rate beside each other, the bare engine as well", () =>
    assert.deepEqual(
      planCosts({ shards: [1, 2], rates: [60, 400] }, 2).map(
        ({ shards, rate, round }) => `${round}: ${rate} ${shards}`,
      ),
      [
        "1: 60 null,1: 60 1,1: 60 2,1: 400 null,1: 400 1,1: 400 2",
        "2: 60 2,2: 60 1,2: 60 null,2: 400 2,2: 400 1,2: 400 null",
      ].flatMap((line) => line.split(",")),
    ));
  it("changes one option at a time, and sets the others to their defaults", () => {
    const environment = environmentOf("coalesce", "5");
    assert.equal(environment["SIMURGH_COALESCE_MS"], "5");
    assert.equal(environment["SIMURGH_RING_BYTES"], "auto");
    assert.match(environment["SIMURGH_SHARDS"] ?? "", /^\d+$/);
  });
});

describe("a comparison of settings", () => {
  it("says better or worse where all runs agree, and by a tenth at least", () => {
    assert.equal(relate("cpu", turns(5), turns(10)), "better");
    assert.equal(relate("cpu", turns(12), turns(10)), "worse");
    assert.equal(
      relate("throughput", [turn({ throughput: 9 }), turn({ throughput: 9 })], turns(1)),
      "worse",
    );
    assert.equal(relate("cpu", turns(9.5), turns(10)), "tie");
  });
  it("is a tie where one run of one lies within the other", () =>
    assert.equal(
      relate("cpu", [turn({ cpuUs: 2 }), turn({ cpuUs: 3 }), turn({ cpuUs: 10 })], turns(10)),
      "tie",
    ));
  it("takes no run whose server waited for a core or fell behind, or whose search the generator ended", () => {
    assert.equal(relate("cpu", turns(5, { fixedMarks: ["starved"] }), turns(10)), "unknown");
    assert.equal(relate("p99", turns(5, { fixedMarks: ["behind"] }), turns(10)), "unknown");
    assert.equal(
      relate("throughput", turns(5, { searchMarks: ["generator"] }), turns(10)),
      "unknown",
    );
  });
  it("takes CPU from a run whose latencies are the generator's", () =>
    assert.equal(
      relate("cpu", turns(5, { fixedMarks: ["generator"], p99Us: null }), turns(10)),
      "better",
    ));
});

function measured(byValue: Readonly<Record<string, readonly Turn[]>>): Measured {
  return { dimension: COALESCE, turns: byValue };
}

describe("a recommendation", () => {
  it("is the default where others are ties", () => {
    const { value, reasons } = recommend(
      measured({ 0: turns(10), 5: turns(10.2), 20: turns(9.9) }),
    );
    assert.equal(value, "0");
    assert.match(reasons[0] ?? "", /^SIMURGH_COALESCE_MS=0, the default/);
    assert.equal(reasons[1], "5 against 0: highest rate a tie, CPU per delivery a tie, p99 a tie.");
  });
  it("is what is better in something and worse in nothing; of several, the best", () => {
    const { value, reasons } = recommend(measured({ 0: turns(10), 5: turns(6), 20: turns(4) }));
    assert.equal(value, "20");
    assert.match(plain(reasons[2] ?? ""), /CPU per delivery better \(4 µs, not 10 µs\)/);
  });
  it("puts throughput before CPU", () => {
    const fast = turns(10, { throughput: 90_000 });
    assert.equal(recommend(measured({ 0: turns(10), 5: fast, 20: turns(4) })).value, "5");
  });
  it("leaves a trade to the reader", () => {
    const late = turns(4, { p99Us: 12_000 });
    const { value, reasons } = recommend(measured({ 0: turns(10), 5: turns(10), 20: late }));
    assert.equal(value, "0");
    assert.match(plain(reasons[2] ?? ""), /p99 worse \(12 ms, not 2 ms\); a trade\.$/);
  });
  it("is never what looks worse by runs that may not be compared", () => {
    const { value, reasons } = recommend(
      measured({ 0: bound(90_000, 10), 5: bound(40_000, 4), 20: bound(88_000, 5) }),
    );
    assert.equal(value, "20");
    assert.match(
      plain(reasons[1] ?? ""),
      /highest rate not comparable, but looks worse \(at least 40 000\/s and at least 90 000\/s\), .*; a trade\.$/,
    );
  });
  it("compares no rates of a setting if the generator ended some of its runs", () => {
    const rates = [40_000, 41_000, 90_000];
    const mixed = rates.map((throughput, at) =>
      turn({ throughput, searchMarks: at === 2 ? ["generator"] : [] }),
    );
    const { value, reasons } = recommend(measured({ 0: turns(10), 5: mixed, 20: turns(10) }));
    assert.equal(value, "0");
    assert.match(
      plain(reasons[1] ?? ""),
      /^5 against 0: highest rate not comparable \(at least 90 000\/s, as the generator ended 1 of 3 runs and 50 000\/s\)/,
    );
    assert.equal(relate("throughput", turns(10), mixed), "unknown");
  });
  it("has no doubts about rates that the generator limited, beside rates of the server", () => {
    const { value } = recommend(measured({ 0: turns(10), 5: bound(40_000, 4), 20: turns(10) }));
    assert.equal(value, "5");
  });
  it("is none where nothing may be compared", () => {
    const starved = turns(4, { fixedMarks: ["starved"], searchMarks: ["generator"] });
    const { value, reasons } = recommend(measured({ 0: starved, 5: starved, 20: starved }));
    assert.equal(value, undefined);
    assert.match(reasons[0] ?? "", /^Nothing can be recommended/);
  });
});

const MACHINE: Machine = { processor: "P", cores: 2, memoryBytes: 1, system: "S", node: "v20" };

function recordOf(...dimensions: readonly Measured[]): SweepRecord {
  return {
    version: 1,
    machine: MACHINE,
    load: ["fanout", "--rate", "500"],
    boundMs: 10,
    dimensions: dimensions.map((one) => ({
      ...one,
      startedAt: "2026-01-01T00:00:00.000Z",
      command: "npm run load:shards",
      recommendation: recommend(one),
    })),
  };
}

const RING: Measured = {
  dimension: { name: "ring", values: ["auto", "4194304"], fallback: "auto" },
  turns: { auto: turns(10), 4194304: turns(10, { fixedMarks: ["starved"], throughput: null }) },
};

describe("an earlier sweep", () => {
  const own = recordOf(measured({ 0: turns(10), 5: turns(4), 20: turns(4) }));

  it("is taken along but for what was measured anew", () => {
    const earlier = recordOf(measured({ 0: turns(1) }), RING);
    const names = keepEarlier(own, earlier).dimensions.map((one) => one.dimension.name);
    assert.deepEqual(names, ["ring", "coalesce"]);
    assert.deepEqual(keepEarlier(own, earlier).dimensions[1], own.dimensions[0]);
  });
  it("of another load is refused", () =>
    assert.throws(
      () => keepEarlier(own, { ...own, load: ["echo"] }),
      /keep needs an earlier sweep with the same load/,
    ));
  it("of another load can have the cost added, which has its own load", () => {
    const cost = { ...recordOf(), cost: costRecord() };
    const echo = { ...own, load: ["echo"] };
    const both = keepEarlier(cost, echo);
    assert.deepEqual(both, { ...echo, cost: costRecord() });
    assert.deepEqual(keepEarlier(echo, cost), both);
    const elsewhere = { ...echo, machine: { ...MACHINE, cores: 64 } };
    assert.throws(() => keepEarlier(cost, elsewhere), /the same machine/);
  });
});

function costTurn(changes: Partial<CostTurn> = {}): CostTurn {
  return {
    cpuUs: 8,
    voluntary: 0.05,
    involuntary: 0.01,
    calls: 1.1,
    p99Us: 1_500,
    marks: [],
    ...changes,
  };
}

/** A record of two rates, the higher of which no run can be compared at. */
function costRecord(whyNoCalls: string | null = null): CostRecord {
  const calls = whyNoCalls === null ? 1.1 : null;
  const slow = [costTurn({ calls }), costTurn({ calls, cpuUs: 9 })];
  const fast = [costTurn({ calls, cpuUs: 3, p99Us: null, marks: ["behind", "starved"] })];
  return {
    shards: [1, 8],
    rates: [60_000, 400_000],
    startedAt: "2026-01-01T00:00:00.000Z",
    command: "npm run load:shards -- --only cost",
    load: ["fanout"],
    whyNoCalls,
    cells: [null, 1, 8].flatMap((shards) => [
      makeCell(shards, 60_000, slow),
      makeCell(shards, 400_000, fast),
    ]),
  };
}

function warmupOf(shards: number | null, countsCalls: boolean): string | undefined {
  const words = costWords({ shards, rate: 60_000, seconds: 2, countsCalls });
  return words[words.indexOf("--warmup") + 1];
}

describe("the cost of a delivery", () => {
  it("is the median of the runs that can be compared, and of no others", () => {
    const cell = makeCell(2, 60_000, [
      costTurn({ cpuUs: 7 }),
      costTurn({ cpuUs: 2, marks: ["generator"] }),
      costTurn({ cpuUs: 8, p99Us: null }),
    ]);
    assert.deepEqual([cell.medians.cpuUs, cell.medians.p99Us, cell.isSound], [7.5, 1_500, true]);
  });
  it("is that of all runs, and marked, if none can be compared", () => {
    const cell = makeCell(2, 60_000, [
      costTurn({ cpuUs: 2, marks: ["generator"] }),
      costTurn({ cpuUs: 4, calls: null, marks: ["behind"] }),
    ]);
    assert.deepEqual([cell.medians.cpuUs, cell.medians.calls, cell.isSound], [3, 1.1, false]);
  });
  it("is a row of a table for each rate and server, in brackets if it cannot be compared", () => {
    const [slow, fast] = costRows(costRecord()).map((row) => plain(row.join(" | ")));
    assert.equal(slow, "60 000 | bare engine | 8.5 µs | 0.05 | 0.01 | 1.1 | 1.5 ms | ");
    assert.equal(
      fast,
      "400 000 | bare engine | (3 µs) | (0.05) | (0.01) | (1.1) | none | " +
        "1 of 1: server fell behind, no free core",
    );
  });
  it("has no system calls if nothing can count them", () => {
    const [heads = ""] = makeCostTable(costRecord("perf is not installed")).split("\n");
    assert.ok(!heads.includes("system calls"), heads);
    assert.match(makeCostTable(costRecord()).split("\n")[0] ?? "", /system calls/);
  });
  it("comes from broadcasts to 20 members", () => {
    assert.equal(broadcastsOf(60_000), 3_000);
    const words = costWords({ shards: 1, rate: 60_000, seconds: 2, countsCalls: false });
    assert.match(words.join(" "), /^fanout --connections 2000 --topics 100 --rate 3000 /);
  });
  it("has a longer warm-up with more shards, and for counting", () => {
    const warmups = [warmupOf(null, false), warmupOf(8, false), warmupOf(8, true)];
    assert.deepEqual(warmups, ["1750ms", "3500ms", "5000ms"]);
  });
  it("is what was counted a second, by the deliveries a second", () => {
    const window = {
      isServerStarved: false,
      isServerBehind: true,
      bottleneck: "the generator was the bottleneck",
      latencyUs: null,
      serverCpuUsPerMessage: 8,
      received: 40_000,
      seconds: 2,
    };
    const result = { window, failures: [] } as unknown as GeneratorResult;
    const readings = [
      { atMs: 1_000, voluntary: 100, involuntary: 10 },
      { atMs: 1_500, voluntary: 900, involuntary: 20 },
      { atMs: 2_000, voluntary: 1_100, involuntary: 30 },
    ];
    const counted = { calls: 24_000, seconds: 1, deliveriesPerSecond: 16_000 };
    assert.deepEqual(costTurnOf(result, readings, counted), {
      cpuUs: 8,
      voluntary: 0.05,
      involuntary: 0.001,
      calls: 1.5,
      p99Us: null,
      marks: ["behind", "generator"],
    });
    const none = costTurnOf(result, readings.slice(0, 1), null);
    assert.deepEqual([none.voluntary, none.calls], [null, null]);
    const nothing = { ...result, window: { ...result.window, received: 0 } };
    assert.deepEqual(costTurnOf(nothing, readings, null).cpuUs, null);
  });
  it("is measured on a real server and on the bare engine", { skip: noCompiler }, async () => {
    buildGenerator();
    const countsCalls = whyPerfDoesNotCount() === undefined;
    const load = ["fanout", "--connections", "40", "--topics", "2"];
    for (const shards of [null, 2]) {
      const setting = { shards, rate: 4_000, seconds: 0.3, countsCalls, load };
      const { cpuUs, voluntary, involuntary, calls, marks } = await measureCost(setting);
      assert.ok(cpuUs !== null && cpuUs > 0, `${cpuUs}`);
      // At 200 broadcasts a second, threads sleep between them.
      assert.ok(voluntary !== null && voluntary > 0, `${voluntary}`);
      assert.ok(involuntary !== null && involuntary >= 0, `${involuntary}`);
      assert.equal(calls !== null && calls > 0, countsCalls, `${calls}`);
      assert.ok(!marks.includes("lost"), marks.join(", "));
    }
  });
});

describe("one turn", () => {
  it("lets the generator be as late as the bound where it searches, and nowhere else", () => {
    const setting = { load: ["echo"], seconds: 1, searchMs: 100, boundMs: 20 };
    assert.match(searchWords(setting).join(" "), /--max-late 20ms --search-p99 20ms$/);
    assert.ok(!fixedWords(setting).includes("--max-late"));
  });
  it("has the fixed rate's p99 and CPU, and the search's deliveries", () => {
    const window = {
      isServerStarved: true,
      isServerBehind: false,
      bottleneck: null,
      latencyUs: { p99: 1_500 },
      serverCpuUsPerMessage: 8,
      received: 30_000,
      seconds: 3,
    };
    const result = { window, failures: [] as string[], search: null };
    const step = { rateReached: 0, p99Us: null, isGood: false };
    const steps = [
      { ...step, rate: 900, why: "much too late" },
      { ...step, rate: 600, why: "too late" },
      { ...step, rate: 500, why: "", isGood: true },
    ];
    const search = { rate: 500, boundUs: 10_000, isLowerBound: true, steps };
    const made = makeTurn(
      result as unknown as GeneratorResult,
      { ...result, search, failures: ["it broke"] } as unknown as GeneratorResult,
    );
    assert.deepEqual(made, {
      p99Us: 1_500,
      cpuUs: 8,
      fixedMarks: ["starved"],
      throughput: 10_000,
      searchMarks: ["generator", "lost"],
      limit: "600/s: too late",
    });
    const none = { ...result, search: { ...search, rate: 0 } } as unknown as GeneratorResult;
    assert.equal(makeTurn(none, none).throughput, null);
  });
  it("is of a real server under a real load", { skip: noCompiler }, async () => {
    buildGenerator();
    const load = ["echo", "--connections", "10", "--rate", "4k"];
    const setting = { load, seconds: 0.2, searchMs: 100, boundMs: 1 };
    const { cpuUs, p99Us, throughput, searchMarks } = await measureTurn(setting, {
      SIMURGH_SHARDS: "1",
    });
    assert.ok(cpuUs !== null && cpuUs > 0, `${cpuUs}`);
    for (const figure of [p99Us, throughput]) assert.ok(figure === null || figure > 0);
    assert.ok(!searchMarks.includes("lost"), searchMarks.join(", "));
  });
  it(
    "is none where the generator refuses its options, whose words say why",
    { skip: noCompiler },
    () => {
      buildGenerator();
      const setting = {
        load: ["echo", "--connections", "-5"],
        seconds: 1,
        searchMs: 100,
        boundMs: 1,
      };
      return assert.rejects(measureTurn(setting, { SIMURGH_SHARDS: "1" }), {
        name: "TypeError",
        message: "native-bench: connections must be an integer from 1 to 20k (connections), got -5",
      });
    },
  );
  it("starts the server with the setting in its environment", () =>
    assert.rejects(
      measureTurn(
        { load: ["echo"], seconds: 1, searchMs: 100, boundMs: 10 },
        { SIMURGH_SHARDS: "none" },
      ),
      /SIMURGH_SHARDS must be an integer from 1 to 64 \(shards\), got `?"?none/,
    ));
});

describe("the page of a sweep in a browser", { skip: noBrowser }, () => {
  const folder = mkdtempSync(join(tmpdir(), "simurgh-sweep-test-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("has its charts, wide and narrow, without a label on another", async () => {
    const file = join(folder, "shards.html");
    const record = recordOf(measured({ 0: turns(10), 5: turns(6), 20: turns(4) }), RING);
    writeFileSync(file, makeSweepPage({ ...record, cost: costRecord() }));
    const browser = await startBrowser();
    for (const [width, size, colorScheme] of [
      [1_200, "wide", "light"],
      [390, "narrow", "dark"],
    ] as const) {
      const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme });
      const page = await context.newPage();
      const problems: string[] = [];
      page.on("console", (message) => problems.push(message.text()));
      page.on("pageerror", (error) => problems.push(String(error)));
      await page.goto(pathToFileURL(file).href);
      const charts = ["coalesce", "ring"].flatMap((name) =>
        ["throughput", "cpu", "p99"].map((figure) => `${name}-${figure} ${size}`),
      );
      const costs = ["cpuUs", "voluntary", "involuntary", "calls", "p99Us"].map(
        (figure) => `cost-${figure} ${size}`,
      );
      assert.deepEqual(await page.evaluate(SHOWN), [...charts, ...costs]);
      for (const check of [OVERLAPS, CUT_OFF]) assert.deepEqual(await page.evaluate(check), []);
      assert.equal(await page.evaluate(SCROLLS), false);
      assert.deepEqual(problems, []);
    }
    await browser.close();
  });
});

describe("the page of the cost alone", () => {
  it("recommends nothing, and says why a column is missing", () => {
    const page = makeSweepPage({ ...recordOf(), cost: costRecord("perf is not installed") });
    assert.ok(!page.includes("<h2>Recommended</h2>"));
    assert.ok(!page.includes('id="cost-calls"'));
    assert.match(page, /System calls were not counted: perf is not installed\./);
    assert.match(page, /<pre>npm run load:shards -- --only cost<\/pre>/);
  });
  it("has hollow dots and brackets for what cannot be compared", () => {
    const page = makeSweepPage({ ...recordOf(), cost: costRecord() });
    assert.match(page, /class="dot hollow c1"/);
    assert.match(plain(page), /<td>\(3 µs\)<\/td>/);
  });
});
