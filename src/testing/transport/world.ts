/**
 * The server of one case, its clients, and what its shards reported.
 *
 * Runs on: the thread of a test; the server's shards are threads of the same process.
 */

import { AssertionError } from "node:assert";

import { serve, type LogSink, type Options, type Server } from "../../index.ts";
import { errorText } from "../../error-report.ts";
import { REAL } from "../real-time.ts";
import { FAILURES, NOTES, PATH, type Note } from "./app.ts";
import type { TransportTests } from "./definition.ts";
import { inTime, Signal } from "./signal.ts";
import { Talker } from "./talker.ts";

interface Started {
  readonly server: Server;
  readonly notes: Note[];
  readonly signal: Signal;
}

/** The parameters of a client, and the shard that it prefers. */
export interface Visit {
  readonly params?: Readonly<Record<string, string>>;
  /** Modulo the number of shards, which may be one although more were asked for (engine portable). */
  readonly shard?: number;
}

const TIMEOUT_MS = 5_000;
const SHARDS = 2;
const VSN = "2.0.0";
/** Pause between two looks at what has no event. */
const POLL_MS = 10;

/** A server with clients. */
export class World {
  readonly server: Server;
  readonly timeoutMs: number;
  readonly tests: TransportTests;
  readonly #talkers: Talker[] = [];
  readonly #notes: Note[];
  readonly #signal: Signal;

  private constructor(tests: TransportTests, { server, notes, signal }: Started) {
    this.server = server;
    this.timeoutMs = tests.timeoutMs ?? TIMEOUT_MS;
    this.tests = tests;
    this.#notes = notes;
    this.#signal = signal;
  }

  /** Whether clients learn the codes with which the server ends them. */
  get hasCodes(): boolean {
    return this.tests.without?.includes("closeCodes") !== true;
  }

  /** Runs a case with a server of its own. No transport may fail meanwhile. */
  static async run(
    tests: TransportTests,
    options: Options,
    body: (world: World) => Promise<void>,
  ): Promise<void> {
    const world = await World.#start(tests, options);
    try {
      await body(world);
      await world.close();
    } catch (error) {
      await world.server.closeNow();
      // Why a transport failed says more than what its client then missed.
      world.checkFailures(error);
      throw error;
    }
    world.checkFailures();
  }

  static async #start(tests: TransportTests, options: Options): Promise<World> {
    const shards = options.shards ?? tests.options?.shards ?? SHARDS;
    const notes: Note[] = [];
    const signal = new Signal();
    const add = (note: Note): void => {
      notes.push(note);
      signal.notify();
    };
    const server = await serve({
      host: "127.0.0.1",
      port: 0,
      secretKeyBase: "test".repeat(16),
      logLevel: "warn",
      ...tests.options,
      ...options,
      shards,
      app: tests.app,
      logger: sinkOf((who) => add({ what: "failed", who })),
    });
    server.subscribe(NOTES, ({ event, payload }) => {
      add({ what: event as Note["what"], who: (payload as { readonly who: string }).who });
    });
    return new World(tests, { server, notes, signal });
  }

  /** Begins to connect a client. */
  async begin(user: string, { params = {}, shard = 0 }: Visit = {}): Promise<Talker> {
    const talker = new Talker(user, this.timeoutMs);
    this.#talkers.push(talker);
    const request = {
      port: this.server.port,
      shard: shard % this.server.shards,
      path: PATH,
      params: { vsn: VSN, user, ...params },
    };
    const connecting = this.tests.connect(request, {
      frame: (frame) => talker.frame(frame),
      refused: (refusal) => talker.refused(refusal),
      closed: (code) => talker.closed(code),
    });
    const begun = await inTime(connecting, this.timeoutMs);
    if (!begun)
      this.fail(`connect must return a client within ${this.timeoutMs} (ms), got nothing`);
    talker.begin(begun.value);
    return talker;
  }

  /** Connects a client that has joined the room. */
  async joined(user: string, visit?: Visit): Promise<Talker> {
    return (await this.arrived(user, visit)).talker;
  }

  /** Connects a client that has joined the room, and returns what it was told. */
  async arrived(user: string, visit?: Visit): Promise<Arrival> {
    const talker = await this.begin(user, visit);
    return { talker, ...((await talker.join()) as Omit<Arrival, "talker">) };
  }

  /** Waits for a note, which is then taken. */
  async note(what: Note["what"], who: string): Promise<void> {
    const find = (): number =>
      this.#notes.findIndex((note) => note.what === what && note.who === who);
    const isThere = await this.#signal.until(() => find() >= 0, this.timeoutMs);
    if (isThere) this.#notes.splice(find(), 1);
    else this.fail(`${WHEN[what]} ${who} within ${this.timeoutMs} (ms), got nothing`);
  }

  /** Waits until the server has a number of connections. */
  async connections(expected: number): Promise<void> {
    const deadlineMs = REAL.now() + this.timeoutMs;
    for (;;) {
      const { connections } = this.server.stats().total;
      if (connections === expected) return;
      if (REAL.now() > deadlineMs) {
        this.fail(
          `the server must have ${expected} connections within ${this.timeoutMs} (ms), got ${connections}`,
        );
      }
      await pause();
    }
  }

  /** Closes all clients, and the server. */
  async close(): Promise<void> {
    await Promise.all(this.#talkers.map((talker) => talker.leave()));
    await this.server.close();
  }

  /** Asserts that no transport has failed. */
  checkFailures(cause?: unknown): void {
    const failures = this.#notes.filter(({ what }) => what === "failed").map(({ who }) => who);
    if (failures.length === 0) return;
    const after = cause === undefined ? "" : `\nthen: ${errorText(cause)}`;
    this.fail(`the transport must not fail, got ${failures.join("; ")}${after}`);
  }

  fail(message: string): never {
    throw new AssertionError({ operator: "transportCases", message });
  }
}

/** What a client is told when it joins. */
export interface Arrival {
  readonly talker: Talker;
  readonly shard: number;
  readonly params: Readonly<Record<string, string>>;
  readonly transport: string;
}

const WHEN: Readonly<Record<Note["what"], string>> = {
  connecting: "a shard must be asked for the connection of",
  gone: "a shard must notice the end of the client",
  flooded: "a shard must get the request of the client",
  failed: "a shard must log",
};

/** Lets time pass, while something without an event changes. */
export async function pause(): Promise<void> {
  await new Promise((resolve) => {
    REAL.setTimeout(resolve, POLL_MS);
  });
}

/** Returns a sink for main's lines that reports those that say that a transport failed. */
function sinkOf(report: (text: string) => void): LogSink {
  const take = (_: object, text: string): void => {
    if (FAILURES.includes(text)) report(text);
  };
  return { debug() {}, info() {}, warn: take, error: take };
}
