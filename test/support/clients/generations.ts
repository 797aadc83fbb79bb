/**
 * The clients of Phoenix that the tests run, one release of each generation, and what each can do.
 *
 * The table is the README's as well, and `test/integration/clients` checks each cell of it: what a client can do
 * is done, and what it cannot is seen not to happen.
 *
 * Runs on: any thread. A table.
 */
import type { SocketOptions } from "phoenix";

/** What not every client can do. */
export interface Abilities {
  /** Sends and takes bytes, in binary frames of version 2. */
  readonly binary: boolean;
  /** Knows joins of a topic from each other: a second one ends the first, and nothing but the first. */
  readonly tellsJoinsApart: boolean;
  /** Joins a channel again whose join was refused. */
  readonly retriesJoins: boolean;
  /** Polls where it has no WebSocket. */
  readonly longpoll: boolean;
  /** Sends what was pushed in one turn of its loop by one POST. */
  readonly batches: boolean;
  /** Sends bytes by POST. */
  readonly postsBytes: boolean;
  /** Joins anew where a poll finds its session gone; older ones take the new one for the old. */
  readonly noticesLostSession: boolean;
  /** Polls where a WebSocket cannot be had (`longPollFallbackMs`), and remembers it. */
  readonly fallback: boolean;
  /** Sends `authToken` apart from the parameters. */
  readonly authToken: boolean;
}

/** A client that the tests run. */
export interface Generation {
  readonly name: string;
  /** Version of the package. */
  readonly version: string;
  /** Version of the protocol that it asks for. */
  readonly vsn: "1.0.0" | "2.0.0";
  /** Finds the package's entry: what only reads the table needs no package. */
  readonly entry: () => string;
  /** What it is told besides what a test tells it. */
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
    // The last that speaks version 1 of itself. Its long-poll is of its time: it takes messages for
    // objects, which Phoenix has sent as texts ever since.
    name: "phoenix 1.2",
    version: "1.2.1",
    vsn: "1.0.0",
    entry: () => import.meta.resolve("phoenix-1.2"),
    // It joins again and again until it is answered, and is closed where an earlier join is ended by a later one.
    options: { reconnectAfterMs: () => 200 },
    can: NOTHING,
  },
];

const [NEWEST] = GENERATIONS as readonly [Generation];

/** The newest client, told to speak version 1 as its documentation says. Bytes and polls have no way there. */
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

/** All that the tests of channels are run with. */
export const CLIENTS: readonly Generation[] = [...GENERATIONS, NEWEST_BY_V1];

/** Gives what carries frames for a client. */
export function carriersOf({ can }: Generation): readonly ("websocket" | "longpoll")[] {
  return can.longpoll ? ["websocket", "longpoll"] : ["websocket"];
}
