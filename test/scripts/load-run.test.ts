/**
 * `npm run load` from end to end: real servers, the real generator, and the page in a real browser.
 *
 * Runs on: the test's thread; load test, server, generator and Chromium are processes of their own.
 * Slow: it runs load tests and a browser.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { WebSocketServer } from "ws";
import type { LoadRecord } from "../../scripts/load/record.ts";
import { noBrowser, startBrowser, type Browser, type Page } from "../support/browser.ts";
import { noCompiler } from "../support/compiler.ts";
import { CUT_OFF, OVERLAPS, SCROLLS, SHOWN } from "../support/page-checks.ts";

const MAIN = fileURLToPath(new URL("../../scripts/load/main.js", import.meta.url));
/** A clean clone compiles the generator first. */
const RUN_DEADLINE_MS = 240_000;

const folder = mkdtempSync(join(tmpdir(), "simurgh-load-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

async function load(words: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...words], {
    stdio: "pipe",
    timeout: RUN_DEADLINE_MS,
    env: { ...process.env, SIMURGH_COALESCE_MS: "1" },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

function recordIn(name: string): LoadRecord {
  return JSON.parse(readFileSync(join(folder, name, "report.json"), "utf8")) as LoadRecord;
}

/** A server whose replies to some pushes are lost: an echo that forgets each tenth. */
async function startForgetful(): Promise<{ url: string; stop: () => void }> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  let pushes = 0;
  server.on("connection", (socket) => {
    socket.on("message", (data: Buffer) => {
      const [joinRef, ref, topic, event, payload] = JSON.parse(data.toString()) as unknown[];
      if (event === "e" && ++pushes % 10 === 0) return;
      const response = event === "e" ? payload : {};
      socket.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response }]));
    });
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${port}/socket/websocket`,
    stop: () => {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  };
}

describe("a load test", { skip: noCompiler }, () => {
  let ended: Ended;
  before(async () => {
    // Lateness is no matter here: a busy machine must not leave the charts out.
    ended = await load(
      `fanout --connections 20 --topics 2 --rate 100 --warmup 200ms --settle 0s --max-late 10s
       --shards 2 --seconds 1 --every 200 --out ${join(folder, "fanout")}`.split(/\s+/),
    );
  });

  it("succeeds where all arrived, and shows how it went", () => {
    assert.equal(ended.code, 0, ended.output);
    assert.match(ended.output, /^measuring {3}\[/m);
    assert.match(ended.output, /report\.html$/m);
  });

  it("records deliveries that add up, interval by interval", () => {
    const { result, intervals, verdict } = recordIn("fanout");
    assert.equal(result.delivered, result.expected);
    // Joins and their replies are in the intervals as well.
    const received = intervals.reduce((sum, interval) => sum + interval.received, 0);
    assert.ok(received >= result.window.received, `${received} of ${result.window.received}`);
    const seconds = intervals.map((interval) => interval.seconds);
    assert.deepEqual(
      seconds,
      seconds.toSorted((left, right) => left - right),
    );
    assert.ok(intervals.some(({ phase }) => phase === "measure"));
    assert.equal(verdict[0]?.grade, "good");
  });

  it("records CPU and heap of each shard", () => {
    const { intervals, server } = recordIn("fanout");
    assert.equal(server.shards, 2);
    for (const { server: sample } of intervals) {
      for (const name of ["shard 0", "shard 1", "main thread"]) {
        const share = sample?.cpu[name] ?? -1;
        // A thread has one core; readings of two clocks may differ by a little.
        assert.ok(share >= 0 && share < 1.5, `${name}: ${share}`);
      }
      assert.ok(sample?.heapBytes.every((bytes) => bytes !== null && bytes > 1_000_000));
      assert.ok((sample?.memoryBytes ?? 0) > 10_000_000);
    }
    const used = intervals.map(({ server: sample }) => sample?.cpu["shard 0"] ?? 0);
    assert.ok(Math.max(...used) > 0, "shard 0 worked");
  });

  it("records what makes it again, with the options of its environment", () => {
    const { command, server } = recordIn("fanout");
    assert.equal(server.environment["SIMURGH_COALESCE_MS"], "1");
    assert.match(command, /SIMURGH_COALESCE_MS=1 .*npm run load -- fanout --connections 20/);
  });

  it("has a distribution exactly where latencies are shown", () => {
    const { result, percentiles } = recordIn("fanout");
    assert.equal(percentiles.length > 0, result.window.latencyUs !== null);
    if (percentiles.length > 0) assert.equal(percentiles.at(-1)?.quantile, 1);
  });
});

describe("a load test that goes wrong", { skip: noCompiler }, () => {
  it("has an exit code of its own where deliveries were lost, and a report all the same", async () => {
    const server = await startForgetful();
    const ended = await load(
      `echo --connections 2 --rate 100 --warmup 0s --settle 0s --deadline 100ms --url ${server.url}
       --seconds 1 --every 200 --out ${join(folder, "lost")}`.split(/\s+/),
    );
    server.stop();
    assert.equal(ended.code, 3, ended.output);
    const { result, verdict, intervals } = recordIn("lost");
    assert.ok(result.missing > 0);
    assert.equal(verdict[0]?.grade, "bad");
    assert.ok(intervals.every(({ server: sample }) => sample === null));
    assert.match(
      readFileSync(join(folder, "lost", "report.html"), "utf8"),
      /pass the process of the server/,
    );
  });
  it("leaves nothing behind where it is interrupted", async () => {
    const temporary = mkdtempSync(join(folder, "interrupted-"));
    const words = "echo --connections 10 --rate 100 --seconds 60 --every 100 --shards 1".split(" ");
    const child = spawn(process.execPath, [MAIN, ...words, "--out", join(folder, "none")], {
      stdio: ["ignore", "ignore", "pipe"],
      timeout: RUN_DEADLINE_MS,
      env: { ...process.env, TMPDIR: temporary },
    });
    const closed = once(child, "close") as Promise<[number | null]>;
    for await (const text of child.stderr.setEncoding("utf8")) {
      if (!String(text).includes("received")) continue;
      assert.equal(readdirSync(temporary).length, 1);
      child.kill("SIGINT");
      assert.deepEqual(await closed, [1, null]);
      assert.deepEqual(readdirSync(temporary), []);
      return;
    }
    assert.fail("it ended before it was interrupted");
  });
  it("says which option is bad, its own or the generator's", async () => {
    const own = await load(["--seconds", "x"]);
    assert.deepEqual(
      [own.code, own.output],
      [2, "load: seconds must be an integer from 1 to 3600 (seconds), got x\n"],
    );
    const others = await load(["echo", "--rate", "none", "--shards", "1"]);
    assert.equal(others.code, 2);
    assert.match(others.output, /rate must be an integer from 1 to 10m \(per second\), got none/);
  });
});

describe("the report in a browser", { skip: noBrowser || noCompiler }, () => {
  let browser: Browser;
  const problems: string[] = [];
  before(async () => {
    browser = await startBrowser();
  });
  after(async () => browser.close());

  async function opened(width: number, colorScheme: "light" | "dark"): Promise<Page> {
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme });
    const page = await context.newPage();
    const url = pathToFileURL(join(folder, "fanout", "report.html")).href;
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => problems.push(message.text()));
    page.on("request", (request) => {
      if (request.url() !== url) problems.push(`asked for ${request.url().slice(0, 80)}`);
    });
    await page.goto(url);
    return page;
  }

  const SERVER_CHARTS = ["throughput", "cpu", "elsewhere", "heap", "memory", "lag"];

  for (const [width, size, scheme] of [
    [1_200, "wide", "light"],
    [390, "narrow", "dark"],
  ] as const) {
    it(`has its charts at ${width} pixels, ${scheme}, and asks nobody for anything`, async () => {
      const page = await opened(width, scheme);
      const latencies = recordIn("fanout").percentiles.length > 0 ? ["latency", "percentiles"] : [];
      const expected = [...latencies, ...SERVER_CHARTS].map((id) => `${id} ${size}`);
      assert.deepEqual(await page.evaluate(SHOWN), expected);
      assert.deepEqual(await page.evaluate(OVERLAPS), []);
      assert.deepEqual(await page.evaluate(CUT_OFF), []);
      assert.equal(await page.evaluate(SCROLLS), false);
      assert.deepEqual(problems, []);
      await page.close();
    });
  }

  it("shows the values under the pointer", async () => {
    const page = await opened(1_200, "dark");
    await page.locator("#cpu svg.wide").hover();
    const values = await page.locator("#cpu .values").innerText();
    assert.match(values, /^[\d.]+\u202fs\n[\s\S]*shard 0\s+[\d.]+\u202f%/);
    assert.deepEqual(problems, []);
    await page.close();
  });
});
