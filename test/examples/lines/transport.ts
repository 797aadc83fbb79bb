import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { defineTransport, type TransportConnection, type TransportHost } from "simurgh/raw";

/** A frame is a string, or the numbers of its bytes. The server's last line is an object. */
const lineOf = (value: string | number[] | object): string => `${JSON.stringify(value)}\n`;

/** Lines of JSON over TCP. A client's first line is not JSON, but the path of the socket. */
export function lines(firstPort: number): ReturnType<typeof defineTransport> {
  const server = createServer();
  let again: NodeJS.Timeout | undefined;
  return defineTransport({
    name: "lines",
    start(host) {
      const listen = (): unknown => server.listen(firstPort + host.context.shard, "127.0.0.1");
      server.maxConnections = 10_000;
      server.on("connection", (tcp) => void serve(tcp, host).catch(() => tcp.destroy()));
      server.on("error", () => (again = setTimeout(listen, 100))); // a restart: the old thread has it
      listen();
    },
    stop() {
      clearTimeout(again);
      server.close();
    },
  });
}

async function serve(tcp: Socket, host: TransportHost): Promise<void> {
  let [connection, rest]: [TransportConnection | undefined, string] = [undefined, ""];
  tcp.setTimeout(60_000, () => tcp.destroy());
  const end = (why: object): unknown => tcp.end(lineOf(why), () => tcp.emit("go"));
  tcp.on("drain", () => connection?.drained()).on("close", () => connection?.closed());
  for await (const piece of tcp.setEncoding("utf8")) {
    const read = (rest + String(piece)).split("\n");
    rest = String(read.pop());
    if (rest.length > 1_048_576) return;
    for (const line of read) {
      if (!tcp.writable) break; // refused, or ended by the server
      if (connection) {
        const frame: unknown = JSON.parse(line);
        const data = Array.isArray(frame) ? Uint8Array.from(frame) : String(frame);
        if (!connection.receive(data) && connection.isOpen) await once(tcp, "go");
        continue;
      }
      const { pathname: path, searchParams: query } = new URL(line, "tcp://localhost");
      const connectInfo = { peerData: { address: tcp.remoteAddress ?? "" } };
      const decision = await host.connect({ path, params: Object.fromEntries(query), connectInfo });
      if (decision.result !== "ok") end({ refused: decision.result });
      else if (!tcp.destroyed)
        connection = decision.open({
          send: (frame) => tcp.write(lineOf(typeof frame === "string" ? frame : [...frame])),
          close: (code, text) => (code === 1006 ? tcp.destroy() : end({ end: code, text })),
          resume: () => tcp.emit("go"),
          get bufferedBytes() {
            return tcp.writableLength;
          },
        });
    }
  }
}
