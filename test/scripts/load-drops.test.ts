/**
 * `npm run load:drops`: what it counts, its verdict, its page, and a short run.
 *
 * Runs on: the test's thread; servers, clients and Chromium are processes of their own.
 * Slow: it tears connections for some seconds, and restarts shards and a server.
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { shortcomingsOf, showShare, type Figures } from "../../scripts/load/drops/figures.ts";
import { Hearing, nothingHeard, type Heard } from "../../scripts/load/drops/hearing.ts";
import { dueAt, messageAt, type Load } from "../../scripts/load/drops/load.ts";
import { parseDropsOptions } from "../../scripts/load/drops/options.ts";
import { makeDropsPage, type DropsRecord } from "../../scripts/load/drops/page.ts";
import { makeDropsTable } from "../../scripts/load/drops/table.ts";
import { secondsOfTurns } from "../../scripts/load/drops/turn.ts";
import { noBrowser, startBrowser } from "../support/browser.ts";
import { CUT_OFF, OVERLAPS, SCROLLS, SHOWN } from "../support/page-checks.ts";
import { runScript } from "../support/program.ts";

const RUN_DEADLINE_MS = 240_000;
const LOAD: Load = {
  clients: 10,
  topics: 2,
  messages: 200,
  rate: 20,
  tearEveryMs: 1_000,
  awayMs: 200,
};

function figures(changes: Partial<Figures> = {}): Figures {
  return {
    server: "simurgh",
    scenario: "drops",
    load: LOAD,
    expected: 1_000,
    delivered: 1_000,
    doubled: 0,
    disordered: 0,
    told: 0,
    tears: 20,
    returns: 20,
    recovery: { count: 20, p50Ms: 2, p99Ms: 9, maxMs: 12 },
    latenessMs: 1,
    ...changes,
  };
}

/** Returns what a client counts that hears numbers in this order. */
function heardOf(...numbers: readonly number[]): Heard {
  const sum = nothingHeard();
  const hearing = new Hearing(sum);
  hearing.back(0);
  for (const n of numbers) hearing.hear({ n, at: 1 }, 2);
  return sum;
}

describe("a client's hearing", () => {
  it("counts each number once", () => {
    const { delivered, doubled, disordered } = heardOf(1, 2, 3);
    assert.deepEqual([delivered, doubled, disordered], [3, 0, 0]);
  });
  it("tells doubled, missing and late messages apart", () => {
    const { delivered, doubled, disordered } = heardOf(1, 4, 2, 4, 2, 5);
    assert.deepEqual([delivered, doubled, disordered], [4, 2, 1]);
  });
  it("has all numbers only if none is missing", () => {
    const hearing = new Hearing(nothingHeard());
    for (const [n, hasAll] of [
      [1, false],
      [3, false],
      [2, true],
    ] as const) {
      hearing.hear({ n, at: 0 }, 0);
      assert.equal(hearing.hasAll(3), hasAll);
    }
  });
  it("takes the time from being back to the last message of the absence", () => {
    const sum = nothingHeard();
    const hearing = new Hearing(sum);
    hearing.back(0);
    hearing.hear({ n: 1, at: 10 }, 11);
    hearing.leave();
    hearing.back(100);
    hearing.hear({ n: 2, at: 50 }, 103);
    hearing.hear({ n: 3, at: 90 }, 108);
    assert.deepEqual(sum.recoveriesMs, []);
    hearing.hear({ n: 4, at: 120 }, 121);
    assert.deepEqual(sum.recoveriesMs, [8]);
    hearing.hear({ n: 5, at: 130 }, 131);
    hearing.leave();
    // Nothing was published while it was away.
    hearing.back(200);
    hearing.hear({ n: 6, at: 210 }, 211);
    assert.deepEqual([sum.recoveriesMs, sum.returns], [[8], 2]);
  });
});

describe("a load", () => {
  it("spreads messages over the time and the topics", () => {
    assert.deepEqual(
      [0, 1_000, 4_999, 60_000].map((ms) => dueAt(LOAD, ms)),
      [0, 20, 99, 200],
    );
    assert.deepEqual(
      [0, 1, 2, 5].map((position) => messageAt(LOAD, position)),
      [
        { topic: 0, n: 1 },
        { topic: 1, n: 1 },
        { topic: 0, n: 2 },
        { topic: 1, n: 3 },
      ],
    );
  });
});

describe("the options of load:drops", () => {
  it("are two loads and three scenarios by default", () => {
    const { turns, maxP99Ms } = parseDropsOptions([]);
    assert.equal(maxP99Ms, 250);
    const drops = turns.filter(
      ({ scenario, server }) => scenario === "drops" && server === "simurgh",
    );
    const common = { clients: 1_000, tearEveryMs: 15_000, awayMs: 2_000 };
    assert.deepEqual(
      drops.map(({ load }) => load),
      [
        { ...common, topics: 1, rate: 2, messages: 120 },
        { ...common, topics: 100, rate: 20, messages: 1_200 },
      ],
    );
    const withShards = turns.filter(({ scenario }) => scenario === "shards");
    assert.deepEqual(
      [...new Set(withShards.map(({ server }) => server))],
      ["simurgh", "simurgh-live"],
    );
  });
  it("make one load of a number of topics", () => {
    const words =
      "--topics 5 --rate 4 --messages 8 --clients 10 --away 100 --tear-every 300 --seed 3";
    const { turns, seed } = parseDropsOptions([
      ...words.split(" "),
      "--servers",
      "simurgh",
      "--scenario",
      "drops",
    ]);
    assert.equal(seed, 3);
    const load = { clients: 10, topics: 5, rate: 4, messages: 10, tearEveryMs: 300, awayMs: 100 };
    assert.deepEqual(turns, [{ server: "simurgh", scenario: "drops", load }]);
  });
  it("tell how long it takes", () => {
    const { turns } = parseDropsOptions(["--scenario", "drops", "--servers", "simurgh"]);
    assert.equal(secondsOfTurns(turns), 2 * (6 + 60));
  });
  it("say what is wrong", () => {
    assert.throws(
      () => parseDropsOptions(["--servers", "bun"]),
      /servers must be one or more of simurgh, /,
    );
    assert.throws(
      () => parseDropsOptions(["--scenario", "flood"]),
      /scenario must be one or more of drops, /,
    );
    assert.throws(
      () => parseDropsOptions(["--topics", "5", "--clients", "4"]),
      /clients must be at least as many as topics \(5\), got 4/,
    );
  });
});

function found(changes: Partial<Figures>): readonly string[] {
  return shortcomingsOf(figures(changes), 250);
}

describe("the verdict of load:drops", () => {
  it("is good if everything arrived once, in order and soon", () =>
    assert.deepEqual(found({}), []));
  it("names what is missing, doubled, out of order or late", () => {
    for (const [changes, words] of [
      [{ delivered: 998 }, /^Simurgh, drops, 2 topics at 20\/s: 2 of 1000 messages are missing$/],
      [{ doubled: 1 }, /1 messages arrived twice/],
      [{ disordered: 1 }, /1 messages were out of order/],
      [{ returns: 0 }, /nothing was tested/],
      [{ recovery: null }, /nothing was tested/],
      [{ recovery: { count: 9, p50Ms: 1, p99Ms: 250, maxMs: 300 } }, /below 250 ms, got 250\.0 ms/],
    ] as const) {
      const lines = found(changes);
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? "", words);
    }
  });
  it("does not ask for times while something restarts, and for nothing of others", () => {
    const late = { count: 9, p50Ms: 1, p99Ms: 900, maxMs: 900 };
    assert.deepEqual(found({ scenario: "shards", recovery: late }), []);
    assert.deepEqual(found({ server: "socket.io", delivered: 1, recovery: null }), []);
  });
  it("calls only everything 100 %", () => {
    assert.deepEqual([1, 0.999_999, 0.29, 0].map(showShare), ["100 %", "99.999 %", "29 %", "0 %"]);
  });
  it("is a table", () => {
    const table = makeDropsTable([
      figures(),
      figures({ server: "socket.io", delivered: 870, recovery: null, latenessMs: 80 }),
    ]);
    const cells = table.split("\n").map((line) => line.split(/ {2,}/));
    const drops = ["drops", "2 topics at 20/s"];
    assert.deepEqual(cells.slice(1, 3), [
      [...drops, "Simurgh", "100 %", "0", "0", "0", "0", "20", "2.0 ms", "9.0 ms", "12.0 ms"],
      [
        ...drops,
        "Socket.IO",
        "87 %",
        "130",
        "0",
        "0",
        "0",
        "20",
        "–",
        "–",
        "–",
        "clients were 80 ms late",
      ],
    ]);
  });
});

describe("the page of load:drops in a browser", { skip: noBrowser }, () => {
  const folder = mkdtempSync(join(tmpdir(), "simurgh-drops-test-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("has its charts, wide and narrow, without a label on another", async () => {
    const record: DropsRecord = {
      version: 1,
      startedAt: "2026-01-01T00:00:00.000Z",
      command: "npm run load:drops -- --seed 1",
      machine: {
        processor: "a processor",
        cores: 2,
        memoryBytes: 2 ** 33,
        system: "Linux",
        node: "v24",
      },
      maxP99Ms: 250,
      failures: [],
      rows: (["drops", "shards", "process"] as const).flatMap((scenario) =>
        [1, 100].flatMap((topics) => [
          figures({ scenario, load: { ...LOAD, topics } }),
          figures({
            scenario,
            load: { ...LOAD, topics },
            server: "socket.io",
            delivered: 870,
            recovery: null,
          }),
        ]),
      ),
    };
    const file = join(folder, "drops.html");
    writeFileSync(file, makeDropsPage(record));
    const browser = await startBrowser();
    for (const [width, size] of [
      [1_200, "wide"],
      [390, "narrow"],
    ] as const) {
      const context = await browser.newContext({ viewport: { width, height: 800 } });
      const page = await context.newPage();
      const problems: string[] = [];
      page.on("console", (message) => problems.push(message.text()));
      page.on("pageerror", (error) => problems.push(String(error)));
      await page.goto(pathToFileURL(file).href);
      assert.deepEqual(await page.evaluate(SHOWN), [`delivered ${size}`, `recovery ${size}`]);
      for (const check of [OVERLAPS, CUT_OFF]) assert.deepEqual(await page.evaluate(check), []);
      assert.equal(await page.evaluate(SCROLLS), false);
      assert.deepEqual(problems, []);
    }
    await browser.close();
  });
});

describe("npm run load:drops", () => {
  const folder = mkdtempSync(join(tmpdir(), "simurgh-drops-run-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs the short form. @returns its exit code, its figures, and what it says */
  async function run(
    words: string,
  ): Promise<{ code: number | null; rows: readonly Figures[]; err: string }> {
    // Other tests keep the machine busy: here the times mean little.
    const fixed = ["--quick", "--seed", "1", "--p99", "60000", "--json", "--out", folder];
    const { code, out, err } = await runScript(
      "load/drops/main",
      [...fixed, ...words.split(" ")],
      RUN_DEADLINE_MS,
    );
    const { rows } = JSON.parse(out || '{"rows":[]}') as Pick<DropsRecord, "rows">;
    return { code, rows, err };
  }

  it("finds that torn clients miss nothing with a history, and something without one", async () => {
    const { code, rows, err } = await run("--scenario drops");
    assert.equal(code, 0, err);
    assert.deepEqual(
      rows.map(({ server }) => server),
      ["simurgh", "simurgh-live"],
    );
    for (const row of rows) {
      assert.ok(row.tears > 0 && row.returns > 0, JSON.stringify(row));
      // As a server that has to miss nothing.
      const judged = shortcomingsOf({ ...row, server: "simurgh" }, 60_000);
      assert.equal(judged.length === 0, row.server === "simurgh", judged.join("\n"));
    }
  });

  it("finds that nothing is lost while shards are restarted", async () => {
    const { code, rows, err } = await run("--scenario shards --servers simurgh");
    assert.equal(code, 0, err);
    const [row] = rows;
    // Each client is sent away by the restart of its shard.
    assert.ok(row !== undefined && row.returns > row.tears, JSON.stringify(row));
    assert.deepEqual([row.delivered, row.told], [row.expected, 0]);
  });

  it("finds that nothing is lost while the server is restarted", async () => {
    const { code, rows, err } = await run("--scenario process --servers simurgh,simurgh-live");
    assert.equal(code, 0, err);
    for (const row of rows) {
      assert.ok(row.returns > row.tears, JSON.stringify(row));
      assert.equal(row.delivered === row.expected, row.server === "simurgh", JSON.stringify(row));
    }
  });

  it("says what is wrong with its options", async () => {
    const { code, err } = await run("--topics none");
    assert.equal(code, 2);
    assert.match(err, /^load:drops: topics must be an integer from 1 to 10000 /);
  });
});
