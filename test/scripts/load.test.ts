import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readLive } from "../../scripts/load/live.ts";
import { parseLoadOptions, type LoadOptions } from "../../scripts/load/options.ts";
import { readPercentiles } from "../../scripts/load/percentiles.ts";
import { describeFigures, describeProgress, ProgressView } from "../../scripts/load/progress.ts";
import { commandOf, optionsIn, type Interval } from "../../scripts/load/record.ts";
import { bandsOf } from "../../scripts/load/report-charts.ts";
import { readResult, type GeneratorResult } from "../../scripts/load/result.ts";
import { windowOf, wordsOf } from "../../scripts/load/run.ts";
import { cpuBetween, nameThreads } from "../../scripts/load/thread-names.ts";
import {
  busyIn,
  memoryIn,
  readSwitches,
  switchesIn,
  type ThreadCpu,
} from "../../scripts/load/threads.ts";
import { judge } from "../../scripts/load/verdict.ts";

function plain(text: string): string {
  return text.replaceAll("\u202f", " ");
}

function errorOf(words: readonly string[]): string {
  try {
    parseLoadOptions(words);
  } catch (error) {
    return (error as Error).message;
  }
  return "no error";
}

function interval(changes: Partial<Interval> = {}): Interval {
  return {
    phase: "measure",
    seconds: 3,
    lengthSeconds: 1,
    joined: 200,
    sent: 500,
    received: 10_000,
    latencyUs: { p50: 120, p90: 300, p99: 2_500, max: 9_000 },
    latenessP99Us: 50,
    generatorCpuShare: 0.1,
    server: null,
    ...changes,
  };
}

/** Threads from the id 100 on, by how long each ran. */
function threads(ran: readonly number[]): Map<number, ThreadCpu> {
  return new Map(ran.map((ranNs, index) => [100 + index, { name: "node", ranNs }]));
}

function grades(of: GeneratorResult): readonly string[] {
  return judge(of).map(({ grade }) => grade);
}

type Window = GeneratorResult["window"];
function result(
  changes: Partial<GeneratorResult> = {},
  window: Partial<Window> = {},
): GeneratorResult {
  return {
    scenario: "fanout",
    connections: 200,
    joined: 200,
    window: {
      ratePlanned: 500,
      rateReached: 500,
      seconds: 5,
      sent: 2_500,
      due: 50_000,
      received: 50_000,
      isServerBehind: false,
      isServerStarved: false,
      generatorCpuShare: 0.12,
      latenessUs: { p99: 100 },
      latencyUs: { p50: 100, p90: 200, p99: 900, p999: 2_000, max: 3_000, mean: 120 },
      bottleneck: null,
      ...window,
    },
    expected: 70_000,
    delivered: 70_000,
    missing: 0,
    doubled: 0,
    disordered: 0,
    deaf: 0,
    deafClosed: 0,
    memory: null,
    failures: [],
    ...changes,
  };
}

describe("the options of a load test", () => {
  const defaults: LoadOptions = {
    url: undefined,
    pid: undefined,
    statsUrl: undefined,
    shards: undefined,
    seconds: 10,
    everyMs: 1_000,
    out: "load-report",
    load: ["fanout"],
    help: false,
  };

  it("are complete without a word", () => assert.deepEqual(parseLoadOptions([]), defaults));
  it("leave to the generator what they do not know, in its order", () =>
    assert.deepEqual(
      parseLoadOptions(["echo", "--rate", "20k", "--shards", "2", "--threads", "2"]),
      {
        ...defaults,
        shards: 2,
        load: ["echo", "--rate", "20k", "--threads", "2"],
      },
    ));
  it("load by fan-out where only options are given", () =>
    assert.deepEqual(parseLoadOptions(["--topics", "5"]).load, ["fanout", "--topics", "5"]));
  it("refuse a value with subject, range, unit and what they got", () => {
    assert.equal(
      errorOf(["--seconds", "0"]),
      "seconds must be an integer from 1 to 3600 (seconds), got 0",
    );
    assert.equal(
      errorOf(["--shards", "many"]),
      "shards must be an integer from 1 to 64 (shards), got many",
    );
    assert.equal(errorOf(["--out"]), "out must have a value (folder), got nothing");
    assert.equal(
      errorOf(["--url", "http://a"]),
      "url must be a URL that begins with ws://, got http://a",
    );
  });
  it("name what is to be given in place of what they give themselves", () => {
    assert.match(errorOf(["--duration", "5s"]), /^duration must not be given; use --seconds$/);
    assert.match(errorOf(["--server-pid", "5"]), /; use --pid$/);
  });
  it("refuse what makes no sense together", () => {
    assert.equal(errorOf(["--pid", "5"]), "pid must come with url, got 5 alone");
    assert.match(
      errorOf(["--url", "ws://127.0.0.1:1/a", "--shards", "2"]),
      /^shards must not be given with url/,
    );
  });
  it("become the generator's command line", () => {
    const target = { url: "ws://127.0.0.1:1/a", statsUrl: undefined };
    const end = ["--url", "ws://127.0.0.1:1/a", "--server-pid", "7", "--json", "--live", "500ms"];
    const setting = { load: ["echo"], seconds: 3, everyMs: 500 };
    assert.deepEqual(wordsOf(setting, { ...target, pid: 7 }), [
      "echo",
      "--duration",
      "3000ms",
      ...end,
    ]);
    assert.ok(!wordsOf(setting, { ...target, pid: undefined }).includes("--server-pid"));
    assert.ok(
      !wordsOf({ ...setting, load: ["connect"] }, { ...target, pid: 7 }).includes("--duration"),
    );
  });
});

describe("lines of the generator", () => {
  const line =
    '{"live":{"phase":"measure","seconds":1.5,"joined":200,"sent":10,"received":200,"latencyUs":null,"latenessP99Us":12,"generatorCpuShare":0.1}}';

  it("are live until the last", () => {
    assert.equal(readLive(line)?.seconds, 1.5);
    assert.equal(readLive('{"scenario":"echo"}'), undefined);
  });
  it("are refused where they lack something", () => {
    assert.throws(() => readLive(line.replace("measure", "dream")), /must have phase, seconds/);
    assert.throws(() => readResult('{"scenario":"echo"}'), /must have window, expected/);
  });
  it("of a distribution are read without head and foot", () => {
    const text = `       Value     Percentile TotalCount 1/(1-Percentile)

       0.102 0.000000000000          1           1.00
       9.871 1.000000000000      10000
#[Mean    =        0.204, StdDeviation   =        0.310]
`;
    assert.deepEqual(readPercentiles(text), [
      { ms: 0.102, quantile: 0, count: 1 },
      { ms: 9.871, quantile: 1, count: 10_000 },
    ]);
  });
});

describe("threads of a server", () => {
  it("are named by the ids that the server tells", () =>
    assert.deepEqual(
      [...nameThreads(100, threads([0, 0, 0, 0]), [103, 101]).values()],
      ["main thread", "shard 1", "other threads", "shard 0"],
    ));
  it("are named as the system names them where the server tells none", () => {
    const named = new Map([...threads([0]), [107, { name: "simurgh shard 3", ranNs: 0 }] as const]);
    assert.deepEqual([...nameThreads(100, named, undefined).values()], ["main thread", "shard 3"]);
  });
  it("go by their ids where nobody knows their names", () =>
    assert.deepEqual(
      [...nameThreads(100, threads([0, 0]), undefined).values()],
      ["main thread", "thread 101"],
    ));
  it("have used what they ran since, one that is new all of it", () => {
    const [before, after] = [threads([1_000, 500]), threads([1_500, 500, 250])];
    const names = nameThreads(100, after, [101]);
    assert.deepEqual(cpuBetween(before, after, names, 1_000), {
      "main thread": 0.5,
      "shard 0": 0,
      "other threads": 0.25,
    });
  });
});

describe("what the system says", () => {
  it("of memory is what a process has for itself", () => {
    const status = "VmRSS:\t  90 kB\nRssAnon:\t  40 kB\nRssFile:\t  30 kB\nRssShmem:\t  20 kB\n";
    assert.equal(memoryIn(status), 60 * 1_024);
    assert.equal(memoryIn("VmRSS:\t  90 kB\n"), null);
  });
  it("of context switches is those of all threads of a process, by their cause", () => {
    const status = "Name:\tnode\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t7\n";
    assert.deepEqual(switchesIn(status), { voluntary: 150, involuntary: 7 });
    assert.equal(switchesIn("voluntary_ctxt_switches:\t150\n"), null);
    const noProcess = 2 ** 30;
    assert.equal(readSwitches(noProcess), null);
  });
  it("of all cores is the time at work, without guests that are in it already", () =>
    assert.equal(busyIn("cpu  100 1 20 5000 300 2 3 4 50 0"), 130 * 10_000_000));
});

describe("the verdict", () => {
  it("is good where all arrived, and neither generator nor machine was in the way", () => {
    const statements = judge(result({}, { serverWaitShare: 0.01 }));
    assert.deepEqual(
      statements.map(({ grade }) => grade),
      ["good", "good", "good"],
    );
    assert.equal(
      plain(statements[0]?.text ?? ""),
      "All 70 000 deliveries arrived, each once and in order.",
    );
  });
  it("is of the joins where nothing was to be delivered", () => {
    const idle = { expected: 0, delivered: 0 };
    const [statement] = judge(result(idle));
    assert.equal(statement?.text, "200 of 200 connections joined; there was nothing to deliver.");
    assert.deepEqual(
      [grades(result(idle))[0], grades(result({ ...idle, joined: 199 }))[0]],
      ["good", "bad"],
    );
  });
  it("is bad where anything is missing, doubled or out of order", () => {
    for (const lost of [{ missing: 1, delivered: 69_999 }, { doubled: 1 }, { disordered: 1 }]) {
      assert.equal(grades(result(lost))[0], "bad");
    }
    assert.match(
      judge(result({ failures: ["a join was refused"] }))[1]?.text ?? "",
      /a join was refused/,
    );
  });
  it("warns of a generator that was the bottleneck, a server behind, and one without a core", () => {
    assert.deepEqual(grades(result({}, { latencyUs: null, bottleneck: "it was late" })), [
      "good",
      "caution",
    ]);
    assert.deepEqual(grades(result({}, { isServerBehind: true })), ["good", "good", "caution"]);
    const starved = { isServerStarved: true, serverWaitShare: 0.3 };
    assert.deepEqual(grades(result({}, starved)), ["good", "good", "caution"]);
  });
});

describe("the progress of a run", () => {
  it("is a bar of the window, and what is left of it", () => {
    assert.match(
      describeProgress(interval(), 5, { seconds: 10 }),
      /^measuring {3}\[#{12}-{12}\] 50 % {2}5 s left$/,
    );
    assert.match(
      describeProgress(interval({ phase: "open" }), 0, { seconds: 10 }),
      /^connecting {2}200 joined$/,
    );
  });
  it("has no share where nobody knows how long it takes", () => {
    assert.equal(describeProgress(interval(), 5.5, { seconds: undefined }), "measuring   5 s");
    for (const [scenario, seconds] of [
      ["echo", 3],
      ["connect", undefined],
      ["reconnect", undefined],
      ["mixed", undefined],
    ] as const) {
      assert.equal(windowOf({ load: [scenario], seconds: 3 }), seconds);
    }
  });
  it("has rates of the interval, latencies, and CPU by shard", () => {
    const server = {
      cpu: { "main thread": 0.01, "shard 0": 0.4, "shard 1": 0.35 },
      generatorCpu: 0.1,
      elsewhereCpu: 0,
      memoryBytes: 52_428_800,
      heapBytes: [],
      loopLagMs: [],
    };
    assert.equal(
      plain(describeFigures(interval({ lengthSeconds: 0.5, server }))),
      "sent 1 000/s  received 20 000/s  p50 0.12 ms  p99 2.5 ms  CPU 40 % + 35 %  50 MiB",
    );
  });
  it("is drawn over itself on a terminal, and is no wider than that", () => {
    let text = "";
    const output = { isTTY: true, columns: 30, write: (part: string) => (text += part) };
    const view = new ProgressView(output, { seconds: 10 });
    view.show(interval());
    view.show(interval());
    const lines = text.split("\n");
    assert.equal(lines.length, 5);
    assert.ok(lines[2]?.startsWith("\u001b[2A\u001b[2K\rmeasuring"));
    assert.equal(lines[1]?.replace("\u001b[2K\r", "").length, 29);
  });
  it("is a line each five seconds, and for each new step, without a terminal", () => {
    let text = "";
    const view = new ProgressView({ write: (part: string) => (text += part) }, { seconds: 60 });
    for (let seconds = 1; seconds <= 12; seconds++) {
      view.show(interval({ seconds, phase: seconds < 3 ? "warmup" : "measure" }));
    }
    assert.deepEqual(
      text.split("\n").map((line) => line.split(" ")[0]),
      ["warming", "measuring", "measuring", ""],
    );
  });
});

describe("the record of a run", () => {
  it("shades each window once, from its beginning", () => {
    const phases = ["warmup", "measure", "measure", "warmup", "measure"] as const;
    const intervals = phases.map((phase, at) => interval({ phase, seconds: at + 1 }));
    assert.deepEqual(
      bandsOf(intervals).map(({ from, to }) => [from, to]),
      [
        [1, 3],
        [4, 5],
      ],
    );
  });
  it("has the options of the environment, and no secret", () =>
    assert.deepEqual(
      optionsIn({
        SIMURGH_SHARDS: "2",
        SIMURGH_COALESCE_MS: "5",
        SIMURGH_SECRET_KEY_BASE: "secret",
        SIMURGH_CLUSTER_URL: "redis://user:password@host",
        PATH: "/bin",
      }),
      { SIMURGH_COALESCE_MS: "5", SIMURGH_SHARDS: "2" },
    ));
  it("has the command that makes it again, as a shell takes it", () =>
    assert.equal(
      commandOf("load", { SIMURGH_SHARDS: "2" }, ["echo", "--out", "my report"]),
      "SIMURGH_SHARDS=2 npm run load -- echo --out 'my report'",
    ));
});
