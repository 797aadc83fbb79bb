/**
 * The stage of a soak, which all its actors share: the server's port, the ledger, the choices, and
 * the time.
 *
 * Runs on: the soak's process.
 */

import { addressOf } from "../suites/addresses.ts";
import { Changes } from "../suites/changes.ts";
import { Client, type ClientOptions } from "../suites/client.ts";
import { Random } from "../suites/random.ts";
import type { Ledger } from "./ledger.ts";

const RETRY_MS = 200;
const TOPICS = 12;

/** Counts of what actors did, for the report. */
export interface Tally {
  connections: number;
  refused: number;
  churned: number;
  sessions: number;
  polls: number;
  slowReaders: number;
  /** Answers that should not be. */
  readonly wrong: string[];
}

/** The stage of a run. */
export class Stage {
  readonly port: number;
  readonly ledger: Ledger;
  readonly tally: Tally = {
    connections: 0,
    refused: 0,
    churned: 0,
    sessions: 0,
    polls: 0,
    slowReaders: 0,
    wrong: [],
  };
  readonly #seed: number;
  readonly #startedAt = performance.now();
  #actors = 0;
  #names = 0;
  readonly #leaving: Client[] = [];
  readonly #changes = new Changes();
  #isOver = false;
  /** Whether all that was said must have arrived. */
  hasEnded = false;

  constructor(port: number, seed: number, ledger: Ledger) {
    this.port = port;
    this.#seed = seed;
    this.ledger = ledger;
  }

  /** Returns the choices of the next actor. */
  random(): Random {
    this.#actors += 1;
    return Random.of(this.#seed, 0, this.#actors);
  }

  /** Returns a name that is used once. */
  name(prefix: string): string {
    this.#names += 1;
    return `${prefix}${this.#names}`;
  }

  topic(random: Random): string {
    return `room:${random.below(TOPICS)}`;
  }

  /** The minute of the run, for reports. */
  get minute(): string {
    return ((performance.now() - this.#startedAt) / 60_000).toFixed(2);
  }

  /** Whether actors should come to an end. Listeners go on until `hasEnded`. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get now(): number {
    return performance.now();
  }

  /** Connects, and tries again while the server refuses. Undefined if the run is over. */
  async connect(options: ClientOptions = {}): Promise<Client | undefined> {
    while (!this.isOver) {
      try {
        this.tally.connections += 1;
        return await Client.connect(this.port, {
          address: addressOf(this.tally.connections),
          ...options,
        });
      } catch {
        this.tally.refused += 1;
        await this.rest(RETRY_MS);
      }
    }
    return undefined;
  }

  /** Waits, but not beyond the end of the run. */
  async rest(ms: number): Promise<void> {
    await this.#changes.untilOr(() => this.#isOver, ms);
  }

  /** Keeps a client connected until all that was said must have arrived. */
  leavesLater(client: Client): void {
    this.#leaving.push(client);
  }

  /** Lets actors come to an end. */
  finish(): void {
    this.#isOver = true;
    this.#changes.changed();
  }

  /** Ends the run: all clients leave. */
  end(): void {
    this.hasEnded = true;
    for (const client of this.#leaving) client.close();
  }

  wrong(text: string): void {
    if (this.tally.wrong.length < MAX_WRONG) {
      this.tally.wrong.push(`minute ${this.minute}: ${text}`);
    }
  }
}

const MAX_WRONG = 50;
