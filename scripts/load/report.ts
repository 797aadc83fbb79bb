/**
 * The report of a run: one page, for people.
 *
 * Runs on: the load test's process.
 */

import {
  formatBytes,
  formatCount,
  formatMs,
  formatNumber,
  formatRate,
  formatSeconds,
  formatShare,
  formatUs,
} from "./charts/formats.ts";
import { drawTailChart, drawTimeChart, type Band, type TimeChart } from "./charts/line-chart.ts";
import { escapeText } from "./charts/markup.ts";
import { makeNumbers, makePage, makeTable, makeTiles, makeVerdict, type Row } from "./charts/page.ts";
import type { Interval, LoadRecord } from "./record.ts";
import type { GeneratorResult } from "./result.ts";
import { OTHER_THREADS } from "./thread-names.ts";

/** Makes the page. */
export function makeReport(record: LoadRecord): string {
  const { result, startedAt, verdict, command } = record;
  const title = `Load: ${result.scenario}, ${formatCount(result.connections)} connections`;
  const body = [
    `<h1>${escapeText(title)}</h1>`,
    `<p class="quiet">${escapeText(`${startedAt}, ${record.server.url}`)}</p>`,
    makeVerdict(verdict),
    makeTiles(tilesOf(record)),
    "<h2>Latency</h2>",
    "<p>From the planned time of a send to the moment its delivery was read. A server that stalls is charged with what fell due meanwhile.</p>",
    ...drawLatencies(record),
    "<h2>Throughput</h2>",
    drawThroughput(record),
    "<h2>Processor and memory</h2>",
    ...drawServer(record),
    "<h2>Figures</h2>",
    makeTable(figuresOf(record)),
    ...searchOf(result),
    `<details><summary>Figures of each interval</summary>${makeIntervals(record.intervals)}</details>`,
    "<h2>Where, and how to make it again</h2>",
    makeTable(whereOf(record)),
    `<pre>${escapeText(command)}</pre>`,
  ];
  return makePage(title, body.join("\n"));
}

function tilesOf({ result }: LoadRecord): readonly (readonly [string, string])[] {
  const { window } = result;
  const { latencyUs, serverCpuUsPerMessage } = window;
  return [
    ["sent", formatRate(window.rateReached)],
    ["received", formatRate(window.received / window.seconds)],
    ...(latencyUs === null
      ? []
      : ([
          ["p50", formatMs(latencyUs.p50 / 1_000)],
          ["p99", formatMs(latencyUs.p99 / 1_000)],
        ] as const)),
    ...(serverCpuUsPerMessage === undefined
      ? []
      : ([["server CPU, each delivery", formatUs(serverCpuUsPerMessage)]] as const)),
  ];
}

function drawLatencies(record: LoadRecord): readonly string[] {
  const { intervals, result, percentiles } = record;
  if (result.window.latencyUs === null) {
    return [`<p class="quiet">Not shown: ${escapeText(result.window.bottleneck ?? "none was measured")}.</p>`];
  }
  const line = (name: "p50" | "p90" | "p99" | "max"): TimeChart["series"][number] => ({
    name,
    values: intervals.map(({ latencyUs }) => (latencyUs === null ? null : latencyUs[name] / 1_000)),
  });
  const overTime = drawTimeChart({
    ...timeOf(record),
    id: "latency",
    title: "Latency over time",
    about: "Of each interval: half of its deliveries took no longer than p50, 99 of 100 no longer than p99.",
    series: [line("p50"), line("p90"), line("p99"), line("max")],
    unit: "latency",
    isLogarithmic: true,
    format: formatMs,
  });
  if (percentiles.length === 0) return [overTime];
  const distribution = drawTailChart({
    id: "percentiles",
    title: "Latency by percentile",
    about: "Of the whole window. Each step to the right holds a tenth of the deliveries of the one before.",
    quantiles: percentiles.map(({ quantile }) => quantile),
    series: [{ name: "latency", values: percentiles.map(({ ms }) => ms) }],
    unit: "latency",
    isLogarithmic: true,
    format: formatMs,
  });
  return [overTime, distribution];
}

function drawThroughput(record: LoadRecord): string {
  const { intervals } = record;
  const rate = (name: "sent" | "received"): (number | null)[] =>
    intervals.map((interval) =>
      interval.lengthSeconds > 0 ? interval[name] / interval.lengthSeconds : null,
    );
  return drawTimeChart({
    ...timeOf(record),
    id: "throughput",
    title: "Messages a second",
    about: "What the generator sent, and what came back to it; a broadcast comes back once for each member.",
    series: [
      { name: "received", values: rate("received") },
      { name: "sent", values: rate("sent") },
    ],
    unit: "messages a second",
    format: formatNumber,
  });
}

function drawServer(record: LoadRecord): readonly string[] {
  const { intervals } = record;
  if (intervals.every(({ server }) => server === null)) {
    return ['<p class="quiet">Not known: no process of the server was named (--pid).</p>'];
  }
  const charts = [drawCpu(record)];
  const shards = Math.max(...intervals.map(({ server }) => server?.heapBytes.length ?? 0));
  const byShard = (name: "heapBytes" | "loopLagMs"): TimeChart["series"] =>
    Array.from({ length: shards }, (_, shard) => ({
      name: `shard ${shard}`,
      values: intervals.map(({ server }) => server?.[name][shard] ?? null),
    }));
  if (shards > 0) {
    charts.push(
      drawTimeChart({
        ...timeOf(record),
        id: "heap",
        title: "JavaScript heap in use, by shard",
        about: "It grows until the collector has been at work, then falls: the feet of the saw count.",
        series: byShard("heapBytes"),
        unit: "heap",
        format: formatBytes,
      }),
    );
  } else {
    charts.push('<p class="quiet">Heaps by shard are not known: the server was not asked (--stats).</p>');
  }
  charts.push(
    drawTimeChart({
      ...timeOf(record),
      id: "memory",
      title: "Memory of the server's process",
      about: "RssAnon and RssShmem: heaps of all shards, the engine's buffers, rings between the shards.",
      series: [
        { name: "process", values: intervals.map(({ server }) => server?.memoryBytes ?? null) },
      ],
      unit: "memory",
      format: formatBytes,
    }),
  );
  if (shards > 0) {
    charts.push(
      drawTimeChart({
        ...timeOf(record),
        id: "lag",
        title: "How late each shard's loop runs",
        about: "The last look of each shard before the interval ended; it looks every 100 ms.",
        series: byShard("loopLagMs"),
        unit: "lag",
        format: formatMs,
      }),
    );
  }
  return charts;
}

/** As many lines of threads without a name as a chart bears. */
const MOST_THREADS = 12;

function drawCpu(record: LoadRecord): string {
  const { intervals } = record;
  const names = new Set(intervals.flatMap(({ server }) => Object.keys(server?.cpu ?? {})));
  const peak = (name: string): number =>
    Math.max(...intervals.map(({ server }) => server?.cpu[name] ?? 0));
  const shards = [...names].filter((name) => name.startsWith("shard ")).toSorted(byNumber);
  const unnamed = [...names]
    .filter((name) => name.startsWith("thread "))
    .toSorted((left, right) => peak(right) - peak(left))
    .slice(0, MOST_THREADS);
  const own = [...shards, ...unnamed, "main thread", OTHER_THREADS].filter((name) => names.has(name));
  return drawTimeChart({
    ...timeOf(record),
    id: "cpu",
    title: "CPU by shard",
    about:
      "100 % is one core. Other threads of the server are the collector, the compiler and files; elsewhere is what all other programs used.",
    series: [
      ...own.map((name) => ({
        name,
        values: intervals.map(({ server }) => server?.cpu[name] ?? null),
      })),
      { name: "generator", values: intervals.map(({ server }) => server?.generatorCpu ?? null) },
      { name: "elsewhere", values: intervals.map(({ server }) => server?.elsewhereCpu ?? null) },
    ],
    unit: "of a core",
    format: formatShare,
  });
}

function byNumber(left: string, right: string): number {
  return Number(left.split(" ")[1]) - Number(right.split(" ")[1]);
}

function timeOf({ intervals }: LoadRecord): Pick<TimeChart, "seconds" | "bands"> {
  return { seconds: intervals.map(({ seconds }) => seconds), bands: bandsOf(intervals) };
}

/** The parts of the run that were measured; several where rates were searched. */
export function bandsOf(intervals: readonly Interval[]): readonly Band[] {
  const bands: Band[] = [];
  for (const [at, { phase, seconds, lengthSeconds }] of intervals.entries()) {
    if (phase !== "measure") continue;
    const last = intervals[at - 1]?.phase === "measure" ? bands.pop() : undefined;
    bands.push({ from: last?.from ?? seconds - lengthSeconds, to: seconds, label: "measured" });
  }
  return bands;
}

function figuresOf({ result }: LoadRecord): readonly Row[] {
  const { window, memory, idle, reconnect } = result;
  const { latencyUs } = window;
  const ms = (us: number): string => formatMs(us / 1_000);
  return [
    ["Connections", `${formatCount(result.joined)} of ${formatCount(result.connections)} joined`],
    ["Window", formatSeconds(window.seconds)],
    ["Rate", `${formatRate(window.rateReached)} of ${formatRate(window.ratePlanned)}`, "sent, of planned"],
    ["Received", formatCount(window.received), `of ${formatCount(window.due)} due in the window`],
    ["Deliveries", `${formatCount(result.delivered)} of ${formatCount(result.expected)}`, "of the whole run"],
    ...(latencyUs === null
      ? []
      : ([
          ["Latency p50", ms(latencyUs.p50)],
          ["Latency p90", ms(latencyUs.p90)],
          ["Latency p99", ms(latencyUs.p99)],
          ["Latency p99.9", ms(latencyUs.p999)],
          ["Latency, largest", ms(latencyUs.max)],
        ] as const)),
    ...(window.serverCpuShare === undefined
      ? []
      : ([
          ["Server CPU", formatShare(window.serverCpuShare), "of a core, all its threads"],
          ["Server CPU, each delivery", formatUs(window.serverCpuUsPerMessage ?? 0)],
          ["Server without a core", formatShare(window.serverWaitShare ?? 0), "of the window it was ready and had none"],
        ] as const)),
    ["Generator CPU", formatShare(window.generatorCpuTotal ?? window.generatorCpuShare), "of a core, all its threads"],
    ["Generator late", ms(window.latenessUs.p99), "p99 of its own lateness"],
    ...(memory === null
      ? []
      : ([
          ["Memory", `${formatBytes(memory.beforeBytes)} to ${formatBytes(memory.afterBytes)}`, "before and after the joins"],
          ["Memory, each connection", formatBytes(memory.bytesPerConnection), "growth over the second half of the joins"],
        ] as const)),
    ...(idle ? ([["CPU, each connection", `${formatUs(idle.cpuUsPerConnectionSecond)} a second`]] as const) : []),
    ...(reconnect ? ([["All back", formatSeconds(reconnect.secondsUntilAllBack), "after their connections broke"]] as const) : []),
  ];
}

function searchOf({ search }: GeneratorResult): readonly string[] {
  if (!search) return [];
  const bound = formatMs(search.boundUs / 1_000);
  const rows = search.steps.map(({ rate, rateReached, p99Us, isGood, why }) => [
    formatRate(rate),
    formatRate(rateReached),
    p99Us === null ? "not shown" : formatMs(p99Us / 1_000),
    isGood ? "good" : "too much",
    why,
  ]);
  return [
    "<h2>Search</h2>",
    `<p>The highest rate whose p99 stayed below ${escapeText(bound)}: <b>${escapeText(formatRate(search.rate))}</b>.</p>`,
    makeNumbers(["rate", "reached", "p99", "", "why"], rows),
  ];
}

function makeIntervals(intervals: readonly Interval[]): string {
  const head = ["until", "phase", "joined", "sent", "received", "p50", "p99", "max", "server CPU", "memory"];
  const rows = intervals.map(({ seconds, phase, joined, sent, received, latencyUs, server }) => {
    const ms = (us: number | undefined): string => (us === undefined ? "" : formatMs(us / 1_000));
    const cpu = server === null ? "" : formatShare(Object.values(server.cpu).reduce((sum, share) => sum + share, 0));
    const memory = server?.memoryBytes ?? null;
    return [
      formatSeconds(seconds),
      phase,
      formatCount(joined),
      formatCount(sent),
      formatCount(received),
      ms(latencyUs?.p50),
      ms(latencyUs?.p99),
      ms(latencyUs?.max),
      cpu,
      memory === null ? "" : formatBytes(memory),
    ];
  });
  return makeNumbers(head, rows);
}

function whereOf({ machine, server, generator }: LoadRecord): readonly Row[] {
  const variables = Object.entries(server.environment).map(([name, value]) => `${name}=${value}`);
  return [
    ["Processor", machine.processor, `${machine.cores} cores for this process`],
    ["Memory", formatBytes(machine.memoryBytes)],
    ["System", machine.system],
    ["Node.js", machine.node, server.isOurs ? "" : "of the load test; the server may have another"],
    ["Shards", server.shards === null ? "not known" : String(server.shards)],
    ["Options", variables.length === 0 ? "defaults" : variables.join(" ")],
    ["Generator", generator.join(" ")],
  ];
}
