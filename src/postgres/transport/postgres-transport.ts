/**
 * `postgresTransport`: sessions that are rows of a database.
 *
 * Runs on: shard.
 */

import { defineTransport, type TransportDefinition } from "../../raw.ts";
import { addressOf } from "../address.ts";
import { Holder } from "./holder.ts";
import { settingsOf, type PostgresTransportOptions } from "./options.ts";

/**
 * Defines the transport, for the endpoint's `transports`: programs that only speak SQL open sessions, and exchange
 * messages with the same channels as all other clients. `simurgh postgres install` creates the tables.
 *
 * `connect` gets `connectInfo.postgres`: the `role` that opened the session (according to the database), the `claims`
 * that the program has sent, and the id of the `session`.
 *
 * @throws SIM_ERR_DEFINITION_INVALID, SIM_ERR_OPTION_INVALID
 */
export function postgresTransport(options: PostgresTransportOptions): TransportDefinition {
  const settings = settingsOf(options);
  const address = addressOf(options, process.env);
  let holder: Holder | undefined;
  return defineTransport({
    name: "postgres",
    async start(host) {
      holder = new Holder(host, settings, address, (text) => host.log.warn({}, text));
      await holder.start();
    },
    stop() {
      holder?.stop();
    },
  });
}
