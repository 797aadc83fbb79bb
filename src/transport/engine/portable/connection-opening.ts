/**
 * What comes before the requests of a connection: a PROXY header, if one is expected from its peer, and then the TLS
 * handshake, if the app has a certificate.
 *
 *   opened --read--> first bytes --PROXY header-----> handshake --> ready: its requests are read
 *                        |  |                            ^
 *                        |  +--the bytes are none--------+
 *                        +--an invalid header, an end, or too slow--> cut
 *
 * A header is looked for once, in front of all else, so nothing that a client sends later can be taken for one.
 *
 * Runs on: main, shard; one for each app.
 * Full: a connection holds at most the bytes of a header and of one read (`proxy-header`), for `HEADER_MS`.
 */

import type { Socket } from "node:net";

import type { AppOptions, ProxyHeaders } from "../app-port.ts";
import type { HttpConnection } from "./http-connection.ts";
import { addressOf } from "./peer-address.ts";
import { readProxyHeader } from "./proxy-header.ts";
import { TlsHandshakes } from "./tls-handshakes.ts";

/** Time for a PROXY header. */
const HEADER_MS = 10_000;

/** Opens the connections of an app. */
export class ConnectionOpening {
  readonly #proxyHeaders: ProxyHeaders | undefined;
  readonly #handshakes: TlsHandshakes | undefined;
  readonly #onReady: (connection: HttpConnection, socket: Socket) => void;

  /**
   * @param onReady - called with the socket from which the connection's requests are read
   * @throws SIM_ERR_TLS if the files of the certificate cannot be used
   */
  constructor(
    { proxyHeaders, tls }: Pick<AppOptions, "proxyHeaders" | "tls">,
    onReady: (connection: HttpConnection, socket: Socket) => void,
  ) {
    this.#proxyHeaders = proxyHeaders;
    this.#handshakes = tls && new TlsHandshakes(tls, onReady);
    this.#onReady = onReady;
  }

  /** Whether something comes before the requests of a connection. */
  isNeeded(socket: Socket): boolean {
    return this.#handshakes !== undefined || this.#expectsHeader(socket);
  }

  /** Reads it. */
  begin(connection: HttpConnection): void {
    if (this.#expectsHeader(connection.socket)) this.#readHeader(connection);
    else this.#handshakes?.begin(connection);
  }

  #expectsHeader(socket: Socket): boolean {
    return this.#proxyHeaders?.isFrom(addressOf(socket)) === true;
  }

  #readHeader(connection: HttpConnection): void {
    const { socket } = connection;
    const versions = this.#proxyHeaders?.versions ?? [];
    const late = setTimeout(() => connection.cut(), HEADER_MS);
    const onClose = (): void => clearTimeout(late);
    let bytes: Buffer | undefined;
    const onData = (more: Buffer): void => {
      bytes = bytes ? Buffer.concat([bytes, more]) : more;
      const read = readProxyHeader(bytes, versions);
      if (read.kind === "incomplete") return;
      if (read.kind === "invalid") {
        connection.cut();
        return;
      }
      clearTimeout(late);
      socket.off("close", onClose).off("data", onData).pause();
      if (read.kind === "header") connection.proxiedAddress = read.address;
      const rest = read.kind === "header" ? bytes.subarray(read.length) : bytes;
      if (rest.length > 0) socket.unshift(rest);
      if (this.#handshakes) this.#handshakes.begin(connection);
      else this.#onReady(connection, socket);
    };
    socket.on("data", onData).once("close", onClose);
  }
}
