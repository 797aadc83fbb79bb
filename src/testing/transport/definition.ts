/**
 * What a user gives to `transportCases`: an app with the transport, and a client of it.
 *
 * Runs on: the thread of a test. Types only.
 */

import type { Options } from "../../index.ts";
import type { TransportDecision } from "../../raw.ts";

/** The reason for which a client may not connect, as told to the transport. */
export type TransportRefusal = Exclude<TransportDecision["result"], "ok">;

/** A client's request to connect. */
export interface TransportConnect {
  /** Port of the server, for transports over HTTP. */
  readonly port: number;
  /**
   * Index of the shard to connect to, for transports whose clients can choose, such as by a port for each
   * shard. Others ignore it.
   */
  readonly shard: number;
  /** Path of the app's only socket: `/socket`. */
  readonly path: string;
  /** Parameters for the socket's `connect`, all of which must get there. They include `vsn`. */
  readonly params: Readonly<Record<string, string>>;
}

/** What happens to a client. The suite queues it all, and waits for it. */
export interface TransportEvents {
  /** A frame has arrived. */
  frame(frame: string | Uint8Array): void;
  /** The client may not connect. */
  refused(refusal: TransportRefusal): void;
  /**
   * The connection has ended, with a close code or 1006. Only the first call counts, so a client may
   * report the code that it received, and later 1006 for the end of its network connection.
   */
  closed(code: number): void;
}

/** One client. Methods may return promises; the suite awaits each before the next call. */
export interface TransportTestClient {
  /** Sends a frame. If the server has not decided yet, it waits for that. */
  send(frame: string | Uint8Array): unknown;
  /** Closes the connection as clients usually do. */
  close(): unknown;
  /** Breaks the connection without a goodbye, even while the server decides. */
  cut?(): unknown;
  /** Stops reading from the network, so that the server can send no more than fits into its buffers. */
  pause?(): unknown;
  /** Reads again after `pause`. Required if there is a `pause`. */
  resume?(): unknown;
}

/**
 * What some transports, or some clients of a test, are not capable of:
 *
 * - `anyFrame`: carrying any text and any bytes, and not only messages of Phoenix's protocol
 * - `bytes`: carrying bytes
 * - `closeCodes`: telling clients the code with which the server ends them
 * - `stopReading`: not reading from a client for which `receive` returned false
 * - `cut`, `pause`: the methods of the client
 */
export type TransportAbility =
  | "anyFrame"
  | "bytes"
  | "closeCodes"
  | "stopReading"
  | "cut"
  | "pause";

/** A transport and its client, for `transportCases`. */
export interface TransportTests {
  /** URL of an app module. Its default export is the result of `transportApp`. */
  readonly app: URL | string;
  /** Begins to connect a client, and returns without waiting for the server's decision. */
  connect(
    request: TransportConnect,
    events: TransportEvents,
  ): TransportTestClient | Promise<TransportTestClient>;
  /** What the transport or its client is not capable of. Cases that need it are left out. Default: none. */
  readonly without?: readonly TransportAbility[];
  /** Options of the server. The suite sets some itself. */
  readonly options?: Options;
  /** Time limit for each thing that must happen (ms). Default: 5 000. */
  readonly timeoutMs?: number;
}

/** One behaviour that a transport owes, and its test. */
export interface TransportCase {
  readonly name: string;
  /** Starts a server, tests the behaviour, and closes the server. @throws AssertionError */
  readonly run: () => Promise<void>;
}
