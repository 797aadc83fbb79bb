/**
 * A proxy before a server that can lose an answer: the request arrives, and the connection breaks when the server has
 * answered.
 *
 * Runs on: the test's thread.
 */

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A proxy on a port of its own. */
export class CuttingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** What a request must contain so that its answer is lost; undefined: no answer is lost. */
  #loses: string | undefined = undefined;
  #onLost: (() => void) | undefined = undefined;

  private constructor(target: number) {
    this.#server = createServer((client) => this.#pass(client, connect(target, "127.0.0.1")));
  }

  static async start(target: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target);
    await once(proxy.#server.listen(0, "127.0.0.1"), "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Loses the answer to the next request that contains a text. Resolves when that has happened. */
  async loseAnswerTo(text: string): Promise<void> {
    this.#loses = text;
    await new Promise<void>((resolve) => {
      this.#onLost = resolve;
    });
  }

  /** Closes it, and all connections. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #pass(client: Socket, server: Socket): void {
    let isLast = false;
    const cut = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", cut).on("close", () => {
        this.#sockets.delete(socket);
        cut();
      });
    }
    client.on("data", (bytes: Buffer) => {
      if (this.#loses !== undefined && bytes.includes(this.#loses)) {
        this.#loses = undefined;
        isLast = true;
      }
      server.write(bytes);
    });
    server.on("data", (bytes: Buffer) => {
      if (!isLast) client.write(bytes);
      else {
        cut();
        this.#onLost?.();
      }
    });
  }
}
