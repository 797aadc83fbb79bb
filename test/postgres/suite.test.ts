/**
 * The suite for transports, with sessions that are rows.
 *
 * Runs on: the test's thread; the shards are threads of the same process, PostgreSQL is another.
 * Slow: a server for each case.
 */

import { after, before, beforeEach, describe, it } from "node:test";

import { transportCases } from "../../src/testing/index.ts";
import type {
  TransportConnect,
  TransportEvents,
  TransportTestClient,
} from "../../src/testing/index.ts";
import { binaryPush, binaryReply, decodeBinary } from "../../src/protocol/binary-v2.ts";
import { tryParse } from "../../src/protocol/json-v2.ts";
import { noPostgres, TestPostgres } from "../support/postgres.ts";
import { SqlSession, type OutboxRow } from "../support/sql-session.ts";

/**
 * Cases in which a client is told to try again, or to connect again. A session waits instead, and outlives shards and
 * servers.
 */
const WAITS = [
  "tells a client that connect failed, and lets it try again",
  "tells a client that it connects too often",
  "tells a client that the server has no time for it",
  "tells clients to reconnect when their shard is restarted, and then serves them again",
  "ends all clients when the server closes, stops, and leaves room for the next server",
  "sends everything to a client that pauses while the server closes, and ends it then",
];
/** A row that is no message: its topic is too long for a binary frame. */
const NONSENSE: Parts = ["1", "1", "x".repeat(256), "x", {}, Buffer.of(0)];

describe("the PostgreSQL transport", { skip: noPostgres }, () => {
  let postgres: TestPostgres;

  before(async () => {
    postgres = await TestPostgres.installed(["ann"], ["max_connections=400"]);
    process.env["SIMURGH_POSTGRES_URL"] = postgres.url();
  });
  after(async () => {
    delete process.env["SIMURGH_POSTGRES_URL"];
    await postgres.remove();
  });

  beforeEach(async () => {
    await postgres.query("DELETE FROM simurgh.sessions");
  });

  async function connect(
    { params }: TransportConnect,
    events: TransportEvents,
  ): Promise<TransportTestClient> {
    const session = await SqlSession.open(postgres, "ann", params);
    const reader = new Reader(session, events);
    reader.read();
    return {
      async send(frame) {
        const [joinRef, ref, topic, event, payload, bytes] = partsOf(frame);
        await session.client.query(
          `INSERT INTO simurgh.inbox (session, join_ref, ref, topic, event, payload, bytes)
           VALUES ($1, $2, $3, $4, $5, $6, $7)`,
          [session.id, joinRef, ref, topic, event, JSON.stringify(payload), bytes],
        );
      },
      close: async () => session.client.query("SELECT simurgh.close($1)", [session.id]),
      pause: () => reader.pause(),
      resume: () => reader.read(),
    };
  }

  const app = new URL("../apps/postgres-suite.js", import.meta.url);
  // A session has no connection that could break.
  const without = ["anyFrame", "cut"] as const;
  for (const { name, run } of transportCases({ app, connect, without, timeoutMs: 10_000 })) {
    if (!WAITS.includes(name)) it(name, run);
  }
});

/** Takes rows, and reports them as frames. */
class Reader {
  readonly #session: SqlSession;
  readonly #events: TransportEvents;
  #isReading = false;

  constructor(session: SqlSession, events: TransportEvents) {
    this.#session = session;
    this.#events = events;
    session.client.on("notification", () => void this.#take());
    session.client.on("error", () => events.closed(1006));
  }

  read(): void {
    this.#isReading = true;
    void this.#take();
  }

  pause(): void {
    this.#isReading = false;
  }

  async #take(): Promise<void> {
    if (!this.#isReading) return;
    // Its connection is closed when the session has ended.
    const rows = await this.#session.take(1_000).catch(() => []);
    for (const row of rows) await this.#report(row);
  }

  async #report(row: OutboxRow): Promise<void> {
    if (row.topic !== "phoenix" || row.event === "phx_reply") {
      this.#events.frame(frameOf(row));
      return;
    }
    if (row.event === "refused") this.#events.refused("refused");
    if (row.event === "closed") this.#events.closed((row.payload as { code: number }).code);
    if (row.event !== "resumed") await this.#session.end();
  }
}

type Parts = readonly [
  joinRef: unknown,
  ref: unknown,
  topic: unknown,
  event: unknown,
  payload: unknown,
  bytes: Uint8Array | null,
];

function partsOf(frame: string | Uint8Array): Parts {
  if (typeof frame === "string") {
    const parts = tryParse(frame);
    return Array.isArray(parts) ? ([...(parts as unknown[]), null] as never) : NONSENSE;
  }
  const { joinRef, ref, topic, event, payload } = decodeBinary(frame) ?? {};
  return [joinRef, ref, topic, event, {}, payload as Uint8Array];
}

function frameOf(row: OutboxRow): string | Uint8Array {
  const { join_ref: joinRef, ref, topic, event, payload, bytes } = row;
  if (!bytes) return JSON.stringify([joinRef, ref, topic, event, payload]);
  const [joinRefJson, topicJson] = [JSON.stringify(joinRef), JSON.stringify(topic)];
  const { status = "" } = (payload ?? {}) as { status?: string };
  return event === "phx_reply"
    ? binaryReply(joinRefJson, ref, topicJson, status, bytes)
    : binaryPush(joinRefJson, topicJson, event, bytes);
}
