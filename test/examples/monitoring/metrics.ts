import { COUNTERS } from "simurgh";
import type { Server } from "simurgh";

/** Returns the counters of all threads, in the text format of Prometheus. */
export function metricsOf(server: Server): string {
  const { shards, main, link } = server.stats();
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
  return text;
}
