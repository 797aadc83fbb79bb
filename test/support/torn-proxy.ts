/**
 * A proxy that tears connections when a test tells it to, in front of a server or of the nodes of a cluster in turn.
 *
 * Runs on: the main thread of the tests.
 */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

/** A proxy. It forwards bytes, and looks at the first line of requests only. */
export class TornProxy {
  readonly #server: Server;
  readonly #targets: number[];
  readonly #sockets = new Set<Socket>();
  /** Requests whose head contains this are not forwarded, but cut. */
  blocked: string | undefined = undefined;
  /** Number of requests that were cut because of that. */
  refusals = 0;
  /** Connections of which nothing is forwarded any more. */
  #muted: ReadonlySet<Socket> = new Set();

  private constructor(targets: readonly number[]) {
    this.#targets = [...targets];
    this.#server = createServer((client) => this.#carry(client));
  }

  /** @param targets - ports of the servers */
  static async start(...targets: readonly number[]): Promise<TornProxy> {
    const proxy = new TornProxy(targets);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Changes the servers, for new connections. */
  retarget(...targets: readonly number[]): void {
    this.#targets.splice(0, this.#targets.length, ...targets);
  }

  /** Tears all connections. */
  tear(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Forwards nothing on the connections that are open now, and does not close them. */
  mute(): void {
    this.#muted = new Set(this.#sockets);
  }

  close(): void {
    this.#server.close();
    this.tear();
  }

  #carry(client: Socket): void {
    const port = this.#targets.shift() ?? 0;
    this.#targets.push(port);
    const server = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.on("error", () => to.destroy());
    }
    client.on("data", (chunk: Buffer) => {
      if (this.blocked !== undefined && chunk.includes(this.blocked)) {
        this.refusals += 1;
        client.destroy();
      } else server.write(chunk);
    });
    client.on("end", () => server.end());
    server.on("data", (chunk: Buffer) => {
      if (!this.#muted.has(server)) client.write(chunk);
    });
    server.on("end", () => client.end());
  }
}
