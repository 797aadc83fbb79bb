/**
 * The Phoenix clients that the tests run, one release of each generation, and their abilities.
 *
 * The same table is in the reference, and `test/integration/clients` checks each cell of it: that a client does
 * what it can do, and that it does not do what it cannot.
 *
 * Runs on: any thread. A table.
 */
import type { SocketOptions } from "phoenix";

/** Abilities that not every client has. */
export interface Abilities {
  /** Sends and receives bytes, in binary frames of version 2. */
  readonly binary: boolean;
  /** Distinguishes joins of the same topic: a second join ends only the first. */
  readonly tellsJoinsApart: boolean;
  /** Retries a join that was refused. */
  readonly retriesJoins: boolean;
  /** Polls if it has no WebSocket. */
  readonly longpoll: boolean;
  /** Sends everything that is pushed in one turn of its loop in one POST. */
  readonly batches: boolean;
  /** Sends bytes by POST. */
  readonly postsBytes: boolean;
  /** Joins again if a poll finds its session gone; older clients mistake the new session for the old. */
  readonly noticesLostSession: boolean;
  /** Polls if WebSockets are blocked (`longPollFallbackMs`), and remembers that. */
  readonly fallback: boolean;
  /** Sends `authToken` separately from its parameters. */
  readonly authToken: boolean;
}

/** A client that the tests run. */
export interface Generation {
  readonly name: string;
  /** Version of the package. */
  readonly version: string;
  /** Version of the protocol that it requests. */
  readonly vsn: "1.0.0" | "2.0.0";
  /** Resolves the package's entry. A function, so that reading the table does not need the package. */
  readonly entry: () => string;
  /** Options in addition to those of a test. */
  readonly options: Partial<SocketOptions>;
  readonly can: Abilities;
}

const V2 = { vsn: "2.0.0", options: {} } as const;

const NOTHING: Abilities = {
  binary: false,
  tellsJoinsApart: false,
  retriesJoins: false,
  longpoll: false,
  batches: false,
  postsBytes: false,
  noticesLostSession: false,
  fallback: false,
  authToken: false,
};
const IN_1_5: Abilities = {
  ...NOTHING,
  binary: true,
  tellsJoinsApart: true,
  retriesJoins: true,
  longpoll: true,
};
const IN_1_7: Abilities = { ...IN_1_5, batches: true, postsBytes: true, fallback: true };
const IN_1_8: Abilities = { ...IN_1_7, noticesLostSession: true, authToken: true };

/** One release of each generation, the newest first. */
export const GENERATIONS: readonly Generation[] = [
  {
    name: "phoenix",
    version: "1.8.16",
    ...V2,
    entry: () => import.meta.resolve("phoenix"),
    can: IN_1_8,
  },
  {
    name: "phoenix 1.7",
    version: "1.7.23",
    ...V2,
    entry: () => import.meta.resolve("phoenix-1.7"),
    can: IN_1_7,
  },
  {
    name: "phoenix 1.6",
    version: "1.6.16",
    ...V2,
    entry: () => import.meta.resolve("phoenix-1.6"),
    can: IN_1_5,
  },
  {
    name: "phoenix 1.5",
    version: "1.5.14",
    ...V2,
    entry: () => import.meta.resolve("phoenix-1.5"),
    can: IN_1_5,
  },
  {
    // The last release that speaks version 1 by default. Its long-poll is outdated: it expects messages
    // as objects, but Phoenix has been sending them as texts since then.
    name: "phoenix 1.2",
    version: "1.2.1",
    vsn: "1.0.0",
    entry: () => import.meta.resolve("phoenix-1.2"),
    // It repeats a join until it is answered, and is closed when a later join ends an earlier one.
    options: { reconnectAfterMs: () => 200 },
    can: NOTHING,
  },
];

const [NEWEST] = GENERATIONS as readonly [Generation];

/** The newest client with version 1, set as its documentation says. That version has no bytes or polls. */
const NEWEST_BY_V1: Generation = {
  ...NEWEST,
  name: "phoenix by vsn 1.0.0",
  vsn: "1.0.0",
  options: {
    vsn: "1.0.0",
    encode: (message, callback) => callback(JSON.stringify(message)),
    decode: (frame, callback) => callback(JSON.parse(frame)),
  },
  can: { ...NOTHING, retriesJoins: true, authToken: true },
};

/** All clients that the tests of channels use. */
export const CLIENTS: readonly Generation[] = [...GENERATIONS, NEWEST_BY_V1];

/** Returns the transports of a client. */
export function carriersOf({ can }: Generation): readonly ("websocket" | "longpoll")[] {
  return can.longpoll ? ["websocket", "longpoll"] : ["websocket"];
}
