/**
 * The TLS handshakes of an app's connections.
 *
 *   connection --begin--> handshake --> secured: requests are read from the socket of TLS
 *                            |
 *                            +--garbage, a version before 1.2, or too slow--> cut
 *
 * Node's TLS server, which does not listen itself, makes a socket of its own for each connection. Which connection that
 * belongs to is found by the addresses and ports of both ends. Renegotiation ends a connection.
 *
 * Runs on: main, shard; one for each app with a certificate.
 * Full: the connections are idle ones, of which the node limits the number. Each has `HANDSHAKE_MS`.
 */

import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";

import { makeError } from "../../../errors.ts";
import { readTlsFiles, type TlsFiles } from "../tls-files.ts";
import type { HttpConnection } from "./http-connection.ts";

/** Time for a handshake, whether or not bytes arrive. */
const HANDSHAKE_MS = 30_000;

/** The handshakes of an app. */
export class TlsHandshakes {
  readonly #server: Server;
  readonly #onSecured: (connection: HttpConnection, socket: TLSSocket) => void;
  readonly #pending = new Map<string, HttpConnection>();

  /**
   * @param onSecured - called with the socket from which the connection's requests are read
   * @throws SIM_ERR_TLS if the files cannot be used, or have changed since they were checked
   */
  constructor(files: TlsFiles, onSecured: (connection: HttpConnection, socket: TLSSocket) => void) {
    this.#onSecured = onSecured;
    this.#server = serverFor(files);
    this.#server.on("secureConnection", (socket) => this.#secured(socket));
    this.#server.on("tlsClientError", (_error, socket) => void socket.destroy());
  }

  /** Begins the handshake of a connection. */
  begin(connection: HttpConnection): void {
    const { socket } = connection;
    const ends = endsOf(socket);
    this.#pending.set(ends, connection);
    socket.once("close", () => {
      if (this.#pending.get(ends) === connection) this.#pending.delete(ends);
    });
    // The socket of TLS does as this one: a client that ends its side during the handshake is gone.
    socket.allowHalfOpen = false;
    this.#server.emit("connection", socket);
  }

  #secured(socket: TLSSocket): void {
    const ends = endsOf(socket);
    const connection = this.#pending.get(ends);
    this.#pending.delete(ends);
    if (!connection || connection.isOver) {
      socket.destroy();
      return;
    }
    socket.allowHalfOpen = true;
    socket.disableRenegotiation();
    this.#onSecured(connection, socket);
  }
}

function serverFor(files: TlsFiles): Server {
  const { cert, key } = readTlsFiles(files);
  try {
    return createServer({
      // As bytes: Node.js 20 takes an empty text for none.
      cert: Buffer.from(cert),
      key: Buffer.from(key),
      ALPNProtocols: ["http/1.1"],
      handshakeTimeout: HANDSHAKE_MS,
      minVersion: "TLSv1.2",
    });
  } catch (cause) {
    const message = `the files of tlsCert and tlsKey must be a certificate and its key that Node.js can use, got ${String(cause)}`;
    throw makeError("SIM_ERR_TLS", message, { cause });
  }
}

/** Returns what tells the connections of an app apart. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
