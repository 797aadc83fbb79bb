/**
 * The app of `npm run load:source`: each table's changes go to a topic. Every other topic has a history.
 *
 * Runs on: every shard of the server under load.
 */

import { defineChannel, defineEndpoint, defineSocket, ok } from "../../../src/index.ts";
import { postgresSource, type SourceTable } from "../../../src/postgres/index.ts";
import { TABLES, topicOf } from "./tables.ts";

const socket = defineSocket({ connect: () => ok({}) });
const plain = defineChannel(socket, { join: () => ok() });
const kept = defineChannel(socket, {
  history: { size: 100_000, ttlMs: 60_000, maxBytes: 32_000_000 },
  join: () => ok(),
});

const by = process.env["LOAD_SOURCE_BY"] === "replication" ? "replication" : "triggers";

export default defineEndpoint({
  sockets: { "/socket": { socket, channels: { "kept:*": kept, "plain:*": plain } } },
  transports: [
    postgresSource({
      by,
      tables: Object.fromEntries(
        TABLES.map((table): [string, SourceTable] => [
          `public.${table}`,
          {
            map: ({ row }) => ({ topic: topicOf(table), event: "change", payload: row }),
          },
        ]),
      ),
    }),
  ],
});
