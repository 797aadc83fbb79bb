import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection, createServer, type AddressInfo } from "node:net";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { generatorLoad, RATES, SUBJECTS, type Load } from "../../scripts/load/calls/loads.ts";
import { HELP, parseCallsOptions } from "../../scripts/load/calls/options.ts";
import { adviceFor, readCounts } from "../../scripts/load/calls/perf.ts";
import {
  countSegments,
  readSegments,
  segmentsPerSecond,
} from "../../scripts/load/calls/segments.ts";
import { makeCallsTable, type Turn } from "../../scripts/load/calls/table.ts";
import { turnOf } from "../../scripts/load/calls/turn.ts";
import type { ResultWindow } from "../../scripts/load/result.ts";

const EVEN: Load = { perSocket: 100, connections: 200, arrival: "even" };

/** As `perf stat -x,` writes it. */
const REPORT = `15786,,raw_syscalls:sys_enter,180913619,100.00,,
14825,,syscalls:sys_enter_sendto,180970876,100.00,,
3,,syscalls:sys_enter_sendmsg,181022754,100.00,,
<not counted>,,syscalls:sys_enter_sendmmsg,0,100.00,,
0,,syscalls:sys_enter_writev,181075743,100.00,,
2,,syscalls:sys_enter_write,181128692,100.00,,
`;

const TURN: Turn = {
  deliveriesPerSend: 2,
  deliveriesPerCall: 1,
  deliveriesPerSegment: 2.1,
  cpuUsPerDelivery: 9,
  latencyP99Us: 1_500,
  isServerBehind: false,
  isServerStarved: false,
};

const WINDOW: ResultWindow = {
  ratePlanned: 1_000,
  rateReached: 1_000,
  seconds: 2,
  sent: 2_000,
  due: 40_000,
  received: 40_000,
  isServerBehind: false,
  isServerStarved: true,
  generatorCpuShare: 0.5,
  latenessUs: { p99: 100 },
  serverCpuUsPerMessage: 3.5,
  latencyUs: null,
  bottleneck: "the generator was the bottleneck",
};

function errorOf(words: readonly string[]): string {
  try {
    parseCallsOptions(words);
  } catch (error) {
    return (error as Error).message;
  }
  return "no error";
}

describe("load:calls", () => {
  it("gives every socket its rate, by topics of 20 that share it", () => {
    const words = "fanout --connections 200 --topics 10 --rate 1000";
    assert.deepEqual(generatorLoad(EVEN, 50), words.split(" "));
    assert.deepEqual(generatorLoad({ ...EVEN, arrival: "ticks" }, 50).slice(-2), [
      "--tick",
      "50ms",
    ]);
    for (const { perSocket, connections } of RATES) {
      const broadcasts = Number(generatorLoad({ ...EVEN, perSocket, connections }, 50).at(-1));
      assert.equal((broadcasts * 20) / connections, perSocket);
      assert.ok(broadcasts * 20 <= 20_000, `${broadcasts * 20} deliveries a second`);
    }
  });
  it("runs all by default, and keeps the order of its tables", () => {
    const { loads, subjects, hasPerf, rounds } = parseCallsOptions([]);
    assert.deepEqual([loads.length, subjects, hasPerf, rounds], [8, SUBJECTS, true, 1]);
    const chosen = parseCallsOptions(["--rates", "1000,10", "--come", "ticks", "--servers", "bun"]);
    assert.deepEqual(
      chosen.loads.map(({ perSocket, arrival }) => [perSocket, arrival]),
      [
        [10, "ticks"],
        [1_000, "ticks"],
      ],
    );
    assert.deepEqual(
      chosen.subjects.map(({ title }) => title),
      ["bun"],
    );
  });
  it("names the option, what it takes, and what it got", () => {
    assert.equal(errorOf(["--rates", "7"]), "rates must be one or more of 1, 10, 100, 1000, got 7");
    assert.equal(errorOf(["--tick", "0"]), "tick must be an integer from 1 to 1000 (ms), got 0");
    assert.equal(
      errorOf(["--rounds", "1.5"]),
      "rounds must be an integer from 1 to 100 (turns), got 1.5",
    );
    assert.ok(HELP.split("\n").every((line) => line.length <= 100));
  });
  it("makes deliveries for a call of what was counted, and takes the rest from the window", () => {
    const calls = { seconds: 2, sends: 20_000, all: 40_000 };
    assert.deepEqual(turnOf(EVEN, { window: WINDOW }, { calls, segmentsPerSecond: 8_000 }), {
      deliveriesPerSend: 2,
      deliveriesPerCall: 1,
      deliveriesPerSegment: 2.5,
      cpuUsPerDelivery: 3.5,
      latencyP99Us: undefined,
      isServerBehind: false,
      isServerStarved: true,
    });
    const uncounted = { calls: undefined, segmentsPerSecond: undefined };
    const { deliveriesPerSend, deliveriesPerSegment } = turnOf(EVEN, { window: WINDOW }, uncounted);
    assert.deepEqual([deliveriesPerSend, deliveriesPerSegment], [undefined, undefined]);
  });
  it("prints medians, what was refused, and what could not be counted as nothing", () => {
    const [bare, bun] = SUBJECTS;
    assert.ok(bare !== undefined && bun !== undefined);
    const uncounted = { deliveriesPerSend: undefined, deliveriesPerCall: undefined };
    const table = makeCallsTable(
      [
        { load: EVEN, subject: bare, turns: [TURN, { ...TURN, deliveriesPerSend: 4 }] },
        {
          load: { ...EVEN, arrival: "ticks" },
          subject: bun,
          turns: [{ ...TURN, ...uncounted, latencyP99Us: undefined, isServerBehind: true }],
        },
      ],
      50,
    );
    const cells = table.split("\n").map((line) => line.split(/ {2,}/));
    assert.deepEqual(cells, [
      ["a second each", "come", "server", "a send", "a call", "a segment", "CPU each", "p99"],
      ["100", "evenly", "bare", "3.00", "1.00", "2.10", "9.00 µs", "1.5 ms"],
      ["100", "every 50 ms", "bun", "2.10", "9.00 µs", "refused", "fell behind in 1 of 1"],
      [""],
    ]);
  });
});

describe("perf", () => {
  it("has its counts read, those of a process that did not run as none", () => {
    assert.deepEqual(readCounts(REPORT), { sends: 14_830, all: 15_786 });
  });
  it("must have counted every event", () => {
    const without = REPORT.split("\n").slice(1).join("\n");
    assert.throws(() => readCounts(without), /perf must count raw_syscalls:sys_enter, got/);
    const unsupported = REPORT.replace("14825", "<not supported>");
    assert.throws(() => readCounts(unsupported), /perf must count syscalls:sys_enter_sendto/);
  });
  it("says what to install, or which setting forbids it", () => {
    assert.match(adviceFor("", "ENOENT"), /^perf is not installed: install linux-perf \(Debian\)/);
    const denied = "Error:\nNo permission to enable syscalls:sys_enter_sendto event.\n";
    assert.match(adviceFor(denied, undefined), /sysctl kernel\.perf_event_paranoid=-1/);
    assert.match(
      adviceFor("event syntax error\n", undefined),
      /cannot count system calls here: event/,
    );
  });
});

describe("segments", () => {
  const hasSs = spawnSync("ss", ["-V"]).status === 0 && process.platform === "linux";
  it("of all sockets are added up", () => {
    const text = `ESTAB 0 0 127.0.0.1:4000 127.0.0.1:5000 bytes_sent:9 segs_out:77 data_segs_out:5 data_segs_in:8
ESTAB 0 0 127.0.0.1:4000 127.0.0.1:5001 segs_out:3 data_segs_in:8
ESTAB 0 0 127.0.0.1:4000 127.0.0.1:5002 segs_out:9 data_segs_out:12 data_segs_in:8
`;
    assert.equal(readSegments(text), 17);
  });
  it("have a rate between two counts, and none where one is missing", () => {
    const before = { atMs: 1_000, segments: 100 };
    assert.equal(segmentsPerSecond(before, { atMs: 3_000, segments: 500 }), 200);
    assert.equal(segmentsPerSecond(undefined, before), undefined);
  });
  it("are one for each write on this machine", { skip: hasSs ? false : "needs ss" }, async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const client = createConnection(port, "127.0.0.1");
    const [socket] = (await once(server, "connection")) as [typeof client];
    socket.setNoDelay(true);
    for (const text of ["a", "b", "c"]) {
      socket.write(text);
      await once(client, "data");
    }
    assert.equal(countSegments(port)?.segments, 3);
    socket.destroy();
    client.destroy();
    server.close();
    await once(server, "close");
  });
});
