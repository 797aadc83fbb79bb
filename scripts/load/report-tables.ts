/**
 * The tables of a report: figures of the window, a search, all intervals, and the machine.
 *
 * Runs on: the load test's process. Pure functions.
 */

import {
  formatBytes,
  formatCount,
  formatMs,
  formatRate,
  formatSeconds,
  formatShare,
  formatUs,
} from "./charts/formats.ts";
import { escapeText } from "./charts/markup.ts";
import { makeNumbers, type Row } from "./charts/page.ts";
import type { Interval, LoadRecord } from "./record.ts";
import type { GeneratorResult, ResultWindow } from "./result.ts";
import { sumOf } from "./thread-names.ts";

/** Formats microseconds as milliseconds. */
function msOf(us: number): string {
  return formatMs(us / 1_000);
}

/** Returns the figures of a run as rows. Figures that were not measured are omitted. */
export function figuresOf({ result }: LoadRecord): readonly Row[] {
  return [
    ...countsOf(result),
    ...latenciesOf(result.window),
    ...serverOf(result.window),
    ...generatorOf(result.window),
    ...memoryOf(result),
    ...specialOf(result),
  ];
}

function countsOf(result: GeneratorResult): readonly Row[] {
  const { window } = result;
  const [reached, planned] = [formatRate(window.rateReached), formatRate(window.ratePlanned)];
  const [delivered, expected] = [formatCount(result.delivered), formatCount(result.expected)];
  return [
    ["Connections", `${formatCount(result.joined)} of ${formatCount(result.connections)} joined`],
    ["Window", formatSeconds(window.seconds)],
    ["Rate", `${reached} of ${planned}`, "sent, of planned"],
    ["Received", formatCount(window.received), `of ${formatCount(window.due)} due in the window`],
    ["Deliveries", `${delivered} of ${expected}`, "in the whole run"],
  ];
}

function latenciesOf({ latencyUs }: ResultWindow): readonly Row[] {
  if (latencyUs === null) return [];
  return [
    ["Latency p50", msOf(latencyUs.p50)],
    ["Latency p90", msOf(latencyUs.p90)],
    ["Latency p99", msOf(latencyUs.p99)],
    ["Latency p99.9", msOf(latencyUs.p999)],
    ["Latency, largest", msOf(latencyUs.max)],
  ];
}

function serverOf(window: ResultWindow): readonly Row[] {
  const { serverCpuShare, serverCpuUsPerMessage = 0, serverWaitShare = 0 } = window;
  if (serverCpuShare === undefined) return [];
  const waited = formatShare(serverWaitShare);
  return [
    ["Server CPU", formatShare(serverCpuShare), "of a core, all its threads"],
    ["Server CPU per delivery", formatUs(serverCpuUsPerMessage)],
    ["Server without a core", waited, "of the window, while it was ready to run"],
  ];
}

function generatorOf({
  generatorCpuShare,
  generatorCpuTotal,
  latenessUs,
}: ResultWindow): readonly Row[] {
  return [
    [
      "Generator CPU",
      formatShare(generatorCpuTotal ?? generatorCpuShare),
      "of a core, all its threads",
    ],
    ["Generator lateness", msOf(latenessUs.p99), "p99 of its own lateness"],
  ];
}

function memoryOf({ memory }: GeneratorResult): readonly Row[] {
  if (memory === null) return [];
  const { beforeBytes, afterBytes, bytesPerConnection } = memory;
  return [
    [
      "Memory",
      `${formatBytes(beforeBytes)} to ${formatBytes(afterBytes)}`,
      "before and after the joins",
    ],
    [
      "Memory per connection",
      formatBytes(bytesPerConnection),
      "growth over the second half of the joins",
    ],
  ];
}

/** Returns the rows that only some scenarios have. */
function specialOf({ idle, reconnect }: GeneratorResult): readonly Row[] {
  const rows: Row[] = [];
  if (idle)
    rows.push(["CPU per connection", `${formatUs(idle.cpuUsPerConnectionSecond)} a second`]);
  if (reconnect) {
    rows.push([
      "All back",
      formatSeconds(reconnect.secondsUntilAllBack),
      "after their connections were cut",
    ]);
  }
  return rows;
}

/** Creates the table of the rates tried in a search. */
export function makeSearch({ search }: GeneratorResult): readonly string[] {
  if (!search) return [];
  const bound = msOf(search.boundUs);
  const rows = search.steps.map(({ rate, rateReached, p99Us, isGood, why }) => [
    formatRate(rate),
    formatRate(rateReached),
    p99Us === null ? "not shown" : msOf(p99Us),
    isGood ? "good" : "too high",
    why,
  ]);
  return [
    "<h2>Search</h2>",
    `<p>The highest rate whose p99 stayed below ${escapeText(bound)}: <b>${escapeText(formatRate(search.rate))}</b>. ${search.isLowerBound === true ? "The generator ended the search, so the server may do more. " : ""}Each shaded part of the charts is the window of one rate.</p>`,
    makeNumbers(["rate", "reached", "p99", "", "why"], rows),
  ];
}

/** Creates the table of all intervals. */
export function makeIntervals(intervals: readonly Interval[]): string {
  const head = [
    "until",
    "phase",
    "joined",
    "sent",
    "received",
    "p50",
    "p99",
    "max",
    "server CPU",
    "memory",
  ];
  const rows = intervals.map(({ seconds, phase, joined, sent, received, latencyUs, server }) => {
    const cpu = server === null ? "" : formatShare(sumOf(server.cpu));
    const memory = server?.memoryBytes ?? null;
    return [
      formatSeconds(seconds),
      phase,
      formatCount(joined),
      formatCount(sent),
      formatCount(received),
      latencyUs === null ? "" : msOf(latencyUs.p50),
      latencyUs === null ? "" : msOf(latencyUs.p99),
      latencyUs === null ? "" : msOf(latencyUs.max),
      cpu,
      memory === null ? "" : formatBytes(memory),
    ];
  });
  return makeNumbers(head, rows);
}

/** Returns rows that describe machine, server and generator. */
export function whereOf({ machine, server, generator }: LoadRecord): readonly Row[] {
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
