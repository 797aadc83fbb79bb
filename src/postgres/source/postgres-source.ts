/**
 * PostgreSQL as a source: turns changes of rows into broadcasts.
 *
 * Each shard of each node starts the source, and one of them leads: it alone reads and publishes (`leadership`).
 * The others hold a connection and wait.
 *
 * Runs on: shard.
 */

import { defineTransport, type TransportDefinition, type TransportHost } from "../../raw.ts";
import { hasCode } from "../../errors.ts";
import { closeConnection } from "../connection.ts";
import { openConnection } from "./connection.ts";
import { Leadership } from "./leadership.ts";
import { settingsOf, type PostgresSourceOptions, type SourceSettings } from "./options.ts";
import { OutboxReader } from "./outbox-reader.ts";
import { Publisher } from "./publisher.ts";
import { ReplicationReader } from "./replication-reader.ts";
import { checkReplication } from "./replication-setup.ts";
import { SourceReports } from "./reports.ts";

/**
 * Defines a source, for the endpoint's `transports`. Changes of rows become broadcasts, which are kept if the topic
 * has a history.
 *
 * `start` rejects with SIM_ERR_SOURCE_SETUP if the database is not set up. A database that is away is waited for.
 *
 * @throws SIM_ERR_DEFINITION_INVALID, SIM_ERR_OPTION_INVALID
 */
export function postgresSource(options: PostgresSourceOptions): TransportDefinition {
  const settings = settingsOf(options, process.env);
  let running: RunningSource | undefined;
  return defineTransport({
    name: settings.name,
    start: async (host) => {
      running = new RunningSource(settings, host);
      await running.start();
    },
    stop: async () => running?.stop(),
  });
}

/** A source on one shard. */
class RunningSource {
  readonly #settings: SourceSettings;
  readonly #reports: SourceReports;
  readonly #outbox: OutboxReader | undefined;
  readonly #leadership: Leadership;

  constructor(settings: SourceSettings, host: TransportHost) {
    this.#settings = settings;
    this.#reports = new SourceReports(
      settings,
      (name, value) => host.measure(name, value),
      (fields, text) => host.log.error(fields, text),
    );
    const publisher = new Publisher(host.context, settings, this.#reports);
    const parts = [settings, publisher, this.#reports] as const;
    if (settings.by === "triggers") {
      const reader = new OutboxReader(...parts);
      this.#outbox = reader;
      this.#leadership = new Leadership(settings, this.#reports, reader.lead.bind(reader));
    } else {
      const reader = new ReplicationReader(...parts);
      this.#outbox = undefined;
      this.#leadership = new Leadership(settings, this.#reports, reader.lead.bind(reader));
    }
  }

  async start(): Promise<void> {
    await this.#check();
    this.#reports.start();
    this.#leadership.start();
  }

  async stop(): Promise<void> {
    await this.#leadership.stop();
    this.#reports.stop();
  }

  /** Checks the database, unless it is away. */
  async #check(): Promise<void> {
    const { address, name } = this.#settings;
    let client;
    try {
      client = await openConnection(address, "queries", name, () => {});
    } catch (error) {
      if (!hasCode(error, "SIM_ERR_DATABASE")) throw error;
      this.#reports.error(error);
      return;
    }
    try {
      if (this.#outbox) await this.#outbox.check(client);
      else await checkReplication(client, this.#settings);
    } finally {
      await closeConnection(client);
    }
  }
}
