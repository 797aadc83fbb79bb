import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { TransportConnect, TransportEvents, TransportTestClient } from "simurgh/testing";

/** A line from the server: a frame, or why there are no more. */
export type Line =
  | string
  | number[]
  | { readonly end: number; readonly text: string }
  | { readonly refused: "refused" | "limited" | "failed" | "unavailable" };

/** Begins to connect a client of `transportCases` to the port of a shard. */
export async function connectLines(
  { shard, path, params }: TransportConnect,
  events: TransportEvents,
): Promise<TransportTestClient> {
  const tcp = await dial(Number(process.env["LINES_PORT"]) + shard);
  let rest = "";
  tcp.setEncoding("utf8").on("data", (piece: string) => {
    const read = (rest + piece).split("\n");
    rest = read.pop() ?? "";
    for (const line of read) report(JSON.parse(line) as Line, events);
  });
  tcp.on("close", () => events.closed(1006));
  tcp.write(`${path}?${new URLSearchParams(params).toString()}\n`);
  return {
    send: (frame) => tcp.write(lineOf(frame)),
    close: () => tcp.end(),
    cut: () => tcp.destroy(),
    pause: () => tcp.pause(),
    resume: () => tcp.resume(),
  };
}

function report(line: Line, events: TransportEvents): void {
  if (typeof line === "string") events.frame(line);
  else if (Array.isArray(line)) events.frame(Uint8Array.from(line));
  else if ("end" in line) events.closed(line.end);
  else events.refused(line.refused);
}

/** Returns a frame as a line. */
export function lineOf(frame: string | Uint8Array): string {
  return `${JSON.stringify(typeof frame === "string" ? frame : [...frame])}\n`;
}

/** Connects to a port. During a restart of its shard, nothing listens for a moment. */
export async function dial(port: number, patienceMs = 2_000): Promise<Socket> {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    const tcp = connect(port, "127.0.0.1");
    tcp.on("error", () => {});
    try {
      await once(tcp, "connect");
      // While nothing listens, the system may give the client the port itself, which then connects to itself.
      if (tcp.localPort !== port) return tcp;
      tcp.destroy();
    } catch (cause) {
      if (performance.now() > deadlineMs) throw new Error(`no server at ${port}`, { cause });
    }
  }
}
