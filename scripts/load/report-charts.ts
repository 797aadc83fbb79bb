/**
 * The charts of a report, and the texts that replace them if data is missing.
 *
 * Runs on: the load test's process. Pure functions.
 */

import { formatBytes, formatMs, formatNumber, formatShare, unitOfBytes } from "./charts/formats.ts";
import { drawTailChart, drawTimeChart, type Band, type TimeChart } from "./charts/line-chart.ts";
import { escapeText } from "./charts/markup.ts";
import type { Phase } from "./live.ts";
import type { Interval, LoadRecord } from "./record.ts";
import { OTHER_THREADS } from "./thread-names.ts";

/**
 * Phases before the load. Their latencies are those of joins, and are shown only if no other phase
 * follows.
 */
const BEFORE_LOAD: ReadonlySet<Phase> = new Set(["open", "settle"]);

/** Draws latencies over time and by percentile. */
export function drawLatencies(record: LoadRecord): readonly string[] {
  const { intervals, result, percentiles } = record;
  if (result.window.latencyUs === null) {
    return [
      `<p class="quiet">Not shown: ${escapeText(result.window.bottleneck ?? "none was measured")}.</p>`,
    ];
  }
  const isLoaded = intervals.some(({ phase }) => !BEFORE_LOAD.has(phase));
  const line = (name: "p50" | "p90" | "p99" | "max"): TimeChart["series"][number] => ({
    name,
    values: intervals.map(({ phase, latencyUs }) =>
      latencyUs === null || (isLoaded && BEFORE_LOAD.has(phase)) ? null : latencyUs[name] / 1_000,
    ),
  });
  const overTime = drawTimeChart({
    ...timeOf(record),
    id: "latency",
    title: "Latency over time",
    about:
      "For each interval: half of its deliveries took no longer than p50, 99 of 100 no longer than p99. In a gap, the generator itself was too late.",
    series: [line("p50"), line("p90"), line("p99"), line("max")],
    unit: "latency",
    isLogarithmic: true,
    format: formatMs,
  });
  if (percentiles.length === 0) return [overTime];
  const distribution = drawTailChart({
    id: "percentiles",
    title: "Latency by percentile",
    about:
      "For the whole window. Each step to the right has a tenth of the deliveries of the one before.",
    quantiles: percentiles.map(({ quantile }) => quantile),
    series: [{ name: "latency", values: percentiles.map(({ ms }) => ms) }],
    unit: "latency",
    isLogarithmic: true,
    format: formatMs,
  });
  return [overTime, distribution];
}

/** Draws the numbers of sent and received messages over time. */
export function drawThroughput(record: LoadRecord): string {
  const { intervals } = record;
  const rate = (name: "sent" | "received"): (number | null)[] =>
    intervals.map((interval) =>
      interval.lengthSeconds > 0 ? interval[name] / interval.lengthSeconds : null,
    );
  return drawTimeChart({
    ...timeOf(record),
    id: "throughput",
    title: "Messages a second",
    about:
      "What the generator sent and what it received; a broadcast comes back once for each member.",
    series: [
      { name: "received", values: rate("received") },
      { name: "sent", values: rate("sent") },
    ],
    unit: "messages a second",
    format: formatNumber,
  });
}

/** Draws CPU and memory of the server over time. */
export function drawServer(record: LoadRecord): readonly string[] {
  const { intervals } = record;
  if (intervals.every(({ server }) => server === null)) {
    return ['<p class="quiet">Not known: pass the process of the server as --pid.</p>'];
  }
  const isTold = intervals.some(({ server }) => (server?.heapBytes.length ?? 0) > 0);
  return [
    drawCpu(record),
    drawElsewhere(record),
    isTold
      ? drawHeaps(record)
      : '<p class="quiet">Heaps by shard are not known: pass a URL of the stats as --stats.</p>',
    drawMemory(record),
    ...(isTold ? [drawLag(record)] : []),
  ];
}

function drawHeaps(record: LoadRecord): string {
  return drawTimeChart({
    ...timeOf(record),
    id: "heap",
    title: "JavaScript heap in use, by shard",
    about: "It grows until garbage is collected, then falls. The low points are what matters.",
    series: byShard(record, "heapBytes"),
    unit: "heap",
    format: formatBytes,
    roundTo: unitOfBytes,
  });
}

function drawMemory(record: LoadRecord): string {
  const values = record.intervals.map(({ server }) => server?.memoryBytes ?? null);
  return drawTimeChart({
    ...timeOf(record),
    id: "memory",
    title: "Memory of the server's process",
    about:
      "RssAnon and RssShmem: heaps of all shards, buffers of the engine, rings between the shards.",
    series: [{ name: "process", values }],
    unit: "memory",
    format: formatBytes,
    roundTo: unitOfBytes,
  });
}

function drawLag(record: LoadRecord): string {
  return drawTimeChart({
    ...timeOf(record),
    id: "lag",
    title: "How late each shard's loop runs",
    about: "The last measurement of each shard before the end of the interval; one every 100 ms.",
    series: byShard(record, "loopLagMs"),
    unit: "lag",
    format: formatMs,
  });
}

function byShard({ intervals }: LoadRecord, name: "heapBytes" | "loopLagMs"): TimeChart["series"] {
  const shards = Math.max(...intervals.map(({ server }) => server?.[name].length ?? 0));
  return Array.from({ length: shards }, (_, shard) => ({
    name: `shard ${shard}`,
    values: intervals.map(({ server }) => server?.[name][shard] ?? null),
  }));
}

/** Maximum number of lines in a chart for threads without a name. */
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
  const own = [...shards, ...unnamed, "main thread", OTHER_THREADS].filter((name) =>
    names.has(name),
  );
  return drawTimeChart({
    ...timeOf(record),
    id: "cpu",
    title: "CPU by shard",
    about:
      "100 % is one core. Other threads of the server do garbage collection, compilation and file access.",
    series: own.map((name) => ({
      name,
      values: intervals.map(({ server }) => server?.cpu[name] ?? null),
    })),
    unit: "of a core",
    format: formatShare,
  });
}

/** Draws the CPU of other programs, which may disturb a run. */
function drawElsewhere(record: LoadRecord): string {
  const { intervals } = record;
  return drawTimeChart({
    ...timeOf(record),
    id: "elsewhere",
    title: "CPU beside the server",
    about:
      "The generator with all its threads, and all other programs together. They may take CPU that the server lacks.",
    series: [
      { name: "generator", values: intervals.map(({ server }) => server?.generatorCpu ?? null) },
      {
        name: "other programs",
        values: intervals.map(({ server }) => server?.elsewhereCpu ?? null),
      },
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

/** Returns the measured parts of the run; several in a search. */
export function bandsOf(intervals: readonly Interval[]): readonly Band[] {
  const bands: Band[] = [];
  for (const [at, { phase, seconds, lengthSeconds }] of intervals.entries()) {
    if (phase !== "measure") continue;
    const last = intervals[at - 1]?.phase === "measure" ? bands.pop() : undefined;
    bands.push({ from: last?.from ?? seconds - lengthSeconds, to: seconds, label: "measured" });
  }
  return bands;
}
