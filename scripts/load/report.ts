/**
 * The report of a run, as one HTML page.
 *
 * Runs on: the load test's process.
 */

import { formatCount, formatMs, formatRate, formatUs } from "./charts/formats.ts";
import { escapeText } from "./charts/markup.ts";
import { makePage, makeTable, makeTiles, makeVerdict } from "./charts/page.ts";
import type { LoadRecord } from "./record.ts";
import { drawLatencies, drawServer, drawThroughput } from "./report-charts.ts";
import { figuresOf, makeIntervals, makeSearch, whereOf } from "./report-tables.ts";

/** Creates the page. */
export function makeReport(record: LoadRecord): string {
  const { result, startedAt, verdict, command } = record;
  const title = `Load: ${result.scenario}, ${formatCount(result.connections)} connections`;
  const body = [
    `<h1>${escapeText(title)}</h1>`,
    `<p class="quiet">${escapeText(`${startedAt}, ${record.server.url}`)}</p>`,
    makeVerdict(verdict),
    makeTiles(tilesOf(record)),
    "<h2>Latency</h2>",
    "<p>From the planned time of a send to the moment its delivery was read. If a server stalls, messages that fall due meanwhile are charged with their wait.</p>",
    ...drawLatencies(record),
    "<h2>Throughput</h2>",
    drawThroughput(record),
    "<h2>Processor and memory</h2>",
    ...drawServer(record),
    "<h2>Figures</h2>",
    makeTable(figuresOf(record)),
    ...makeSearch(result),
    `<details><summary>Figures of each interval</summary>${makeIntervals(record.intervals)}</details>`,
    "<h2>Machine, and how to repeat the run</h2>",
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
      : ([["server CPU per delivery", formatUs(serverCpuUsPerMessage)]] as const)),
  ];
}
