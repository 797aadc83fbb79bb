import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { defineTransport } from "simurgh/raw";
import type { TransportConnection, TransportDefinition, TransportHost } from "simurgh/raw";

/**
 * Lines over TCP: the first line is the path of the socket, each further line is a frame. Binary frames are
 * base64 after `=`.
 */
export function lines(firstPort: number): TransportDefinition {
  const server = createServer();
  let again: NodeJS.Timeout | undefined;
  return defineTransport({
    name: "lines",
    start(host) {
      const listen = (): unknown => server.listen(firstPort + host.context.shard, "127.0.0.1");
      server.on("connection", (tcp) => void serve(tcp, host).catch(() => tcp.destroy()));
      // During a restart of the shard, the old thread keeps the port a little longer.
      server.on("error", () => (again = setTimeout(listen, 100)));
      listen();
    },
    stop() {
      clearTimeout(again);
      server.close();
    },
  });
}

async function serve(tcp: Socket, host: TransportHost): Promise<void> {
  let connection: TransportConnection | undefined;
  tcp.on("error", () => connection?.closed());
  tcp.on("drain", () => connection?.drained());
  for await (const line of createInterface({ input: tcp })) {
    if (connection) connection.receive(line.startsWith("=") ? fromBase64(line) : line);
    else connection = await connect(line, tcp, host);
  }
  connection?.closed();
  tcp.end();
}

async function connect(
  line: string,
  tcp: Socket,
  host: TransportHost,
): Promise<TransportConnection | undefined> {
  const { pathname: path, searchParams } = new URL(line, "tcp://localhost");
  const connectInfo = { peerData: { address: tcp.remoteAddress ?? "" } };
  const params = Object.fromEntries(searchParams);
  const decision = await host.connect({ path, params, connectInfo });
  if (decision.result !== "ok") {
    tcp.end(`! ${decision.result}\n`);
    return undefined;
  }
  return decision.open({
    send: (frame) => void tcp.write(typeof frame === "string" ? `${frame}\n` : toBase64(frame)),
    close: (code, text) => void (code === 1006 ? tcp.destroy() : tcp.end(`! ${code} ${text}\n`)),
    get bufferedBytes() {
      return tcp.writableLength;
    },
  });
}

function fromBase64(line: string): Uint8Array {
  return Buffer.from(line.slice(1), "base64");
}

function toBase64(frame: Uint8Array): string {
  return `=${Buffer.from(frame).toString("base64")}\n`;
}
