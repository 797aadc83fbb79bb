import { COUNTERS } from "simurgh";
import type { Server, ServerStats } from "simurgh";

/** Returns the counters of all threads, in the text format of Prometheus. */
export function metricsOf(server: Server): string {
  const { shards, main, link, transports } = server.stats();
  // A shard that is being replaced has no counters, and a server without a cluster no link.
  const threads = [...shards.entries(), ["main", main] as const, ["link", link] as const];
  let text = "";
  for (const [name, { kind, about }] of Object.entries(COUNTERS)) {
    const metric = `simurgh_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    text += `# HELP ${metric} ${about}\n`;
    text += `# TYPE ${metric} ${kind === "total" ? "counter" : "gauge"}\n`;
    for (const [thread, counters] of threads) {
      if (counters === undefined) continue;
      text += `${metric}{thread="${thread}"} ${counters[name as keyof typeof COUNTERS]}\n`;
    }
  }
  return text + figuresOf(transports);
}

/** Returns what custom transports measure (`host.measure`). */
function figuresOf(transports: ServerStats["transports"]): string {
  let text = "# TYPE simurgh_transport_figure gauge\n";
  for (const [transport, figures] of Object.entries(transports)) {
    for (const [figure, { shards }] of Object.entries(figures)) {
      for (const [shard, value] of shards.entries()) {
        if (value === undefined) continue;
        const labels = `transport=${JSON.stringify(transport)},figure="${figure}",thread="${shard}"`;
        text += `simurgh_transport_figure{${labels}} ${value}\n`;
      }
    }
  }
  return text;
}
