/**
 * Cuts connections whose client reads too slowly.
 *
 * The engine tells of such connections from within `send` and `publish`, where no engine call
 * may be made; so they are noted, and looked at when the loop's turn ends. What builds up by
 * publishing alone is found by the sweep.
 *
 * Runs on: shard.
 * Full: beyond `maxBackpressureBytes` the connection is cut (1006 for the client, which comes back
 *       and joins anew): nothing is skipped in silence.
 */

import type { Logger } from "../logger.ts";
import { telemetry } from "../telemetry.ts";
import type { WebSocketConnection } from "./websocket-connection.ts";

/** The connections to be looked at. */
export class SlowClients {
  readonly #maxBytes: number;
  readonly #logger: Logger;
  /** True: the engine skipped something, so the connection is cut whatever is buffered. */
  readonly #suspects = new Map<WebSocketConnection, boolean>();
  readonly #check = (): void => this.#checkSuspects();

  constructor(maxBytes: number, logger: Logger) {
    this.#maxBytes = maxBytes;
    this.#logger = logger;
  }

  /** Notes a connection; it is looked at when the turn ends. */
  note(connection: WebSocketConnection, wasSkipped: boolean): void {
    if (this.#suspects.size === 0) setImmediate(this.#check);
    this.#suspects.set(connection, wasSkipped || this.#suspects.get(connection) === true);
  }

  /** Looks at a connection now. */
  check(connection: WebSocketConnection, wasSkipped = false): void {
    const bufferedBytes = connection.bufferedBytes;
    if (!connection.isOpen || (!wasSkipped && bufferedBytes <= this.#maxBytes)) return;
    this.#logger.log("slowClient", { connection: connection.id, bufferedBytes });
    if (telemetry.slow_client.hasSubscribers) {
      telemetry.slow_client.publish({ connection: connection.id, bufferedBytes });
    }
    connection.cut();
  }

  #checkSuspects(): void {
    const suspects = [...this.#suspects];
    this.#suspects.clear();
    for (const [connection, wasSkipped] of suspects) this.check(connection, wasSkipped);
  }
}
