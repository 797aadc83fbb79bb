/**
 * A load balancer in front of several servers: each connection goes to the first server that accepts it.
 *
 * Runs on: the test's thread.
 */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

/** A port that forwards to other ports. */
export class Balancer {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @param ports - of the servers, in the order in which they are tried */
  static async start(ports: readonly number[]): Promise<Balancer> {
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      keep(client, sockets);
      joinUp(client, ports, sockets);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Balancer(server, sockets);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function keep(socket: Socket, sockets: Set<Socket>): void {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
}

function joinUp(client: Socket, ports: readonly number[], sockets: Set<Socket>): void {
  const [port, ...others] = ports;
  if (port === undefined) {
    client.destroy();
    return;
  }
  const upstream = connect(port, "127.0.0.1");
  keep(upstream, sockets);
  let isJoined = false;
  upstream.on("connect", () => {
    isJoined = true;
    client.pipe(upstream).pipe(client);
  });
  upstream.on("error", () => {
    if (isJoined) client.destroy();
    else joinUp(client, others, sockets);
  });
  client.on("error", () => upstream.destroy());
}
