/**
 * The guide to monitoring: its program, asked as by Prometheus, and the metrics that its queries name.
 *
 * Runs on: the test's thread; the server is a process of its own.
 */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";

import { COUNTERS } from "../../src/index.ts";
import { shardsOf } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";

const MAIN = fileURLToPath(new URL("./monitoring/main.js", import.meta.url));
const GUIDE_URL = new URL("../../../test/examples/monitoring/README.md", import.meta.url);
const GUIDE = readFileSync(GUIDE_URL, "utf8");

describe("the guide to monitoring", () => {
  let program: ChildProcess;
  let port = 0;
  let metricsPort = 0;

  before(async () => {
    const variables = { SIMURGH_HOST: "127.0.0.1", SIMURGH_PORT: "0", SIMURGH_SHARDS: "2" };
    const env = { ...process.env, ...variables, METRICS_PORT: "0", SIMURGH_LOG_LEVEL: "error" };
    program = spawn(process.execPath, [MAIN], { env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    const listening = /clients: port (\d+); [\s\S]*port: (\d+)/;
    while (!listening.test(output)) {
      const data = once(program.stdout as NonNullable<typeof program.stdout>, "data");
      output += String((await within(data, `the ports after ${output}`))[0]);
    }
    [port, metricsPort] = (listening.exec(output)?.slice(1) ?? []).map(Number) as [number, number];
  });
  after(() => program.kill("SIGKILL"));

  async function scraped(): Promise<string> {
    const answer = await within(fetch(`http://127.0.0.1:${metricsPort}/`), "the metrics");
    assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4");
    return answer.text();
  }

  it("exports each counter of each thread, with its type", async () => {
    const lines = (await scraped()).split("\n");
    assert.equal(lines.pop(), "");
    const format =
      /^(?:# HELP simurgh_[a-z0-9_]+ .+|# TYPE simurgh_[a-z0-9_]+ (?:counter|gauge)|simurgh_[a-z0-9_]+\{thread="(?:\d|main)"\} \d+(?:\.\d+)?(?:e-\d+)?)$/;
    for (const line of lines) assert.match(line, format);
    const threads = 1 + shardsOf(2);
    // The last has no values here.
    assert.equal(lines.length, Object.keys(COUNTERS).length * (2 + threads) + 1);
    assert.ok(lines.includes("# TYPE simurgh_connections gauge"));
    assert.ok(lines.includes("# TYPE simurgh_frames_in counter"));
  });

  it("prints what the guide shows, and counts a client", async () => {
    const shown = /\$ curl .*\n([\s\S]*?)```/.exec(GUIDE)?.[1] ?? "none";
    // The guide's server has two shards.
    const other = shardsOf(2) === 1 ? 'simurgh_connections{thread="1"} 0\n' : "";
    assert.ok((await scraped()).includes(shown.replace(other, "")));
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0&user=ann`);
    const answered = once(socket, "message");
    await within(once(socket, "open"), "the connection");
    socket.send('[null,"1","phoenix","heartbeat",{}]');
    await within(answered, "the answer to the heartbeat");
    assert.match(await scraped(), /^simurgh_connections\{thread="\d"\} 1$/m);
    socket.terminate();
  });

  it("names metrics that there are", async () => {
    const metrics = await scraped();
    const named = new Set(GUIDE.match(/\bsimurgh_[a-z0-9_]+/g));
    assert.ok(named.size > 12);
    for (const name of named) assert.ok(metrics.includes(`# TYPE ${name} `), name);
  });
});
