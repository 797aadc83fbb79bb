/**
 * An app whose broadcasts come from tables of PostgreSQL.
 *
 * `SOURCE_OPTIONS` (JSON) has further options of the source, and `omit`: tables that are left out. Errors are
 * broadcast on the topic `errors`, and those of one shard are the answer of a route.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { defineChannel, defineEndpoint, defineSocket, ok } from "../../src/index.ts";
import { postgresSource, type Change, type SourceTable } from "../../src/postgres/index.ts";
import type { TransportHost } from "../../src/raw.ts";

interface Given {
  readonly by: "triggers" | "replication";
  readonly only?: readonly string[];
}

const { only, ...options } = JSON.parse(process.env["SOURCE_OPTIONS"] ?? "{}") as Given;

const userSocket = defineSocket({ connect: () => ok({}) });
const room = defineChannel(userSocket, { join: () => ok() });
const kept = defineChannel(userSocket, {
  history: { size: 100_000, ttlMs: 600_000, maxBytes: 64_000_000, ephemeral: ["typing"] },
  join: () => ok(),
});
const small = defineChannel(userSocket, {
  history: { size: 10, ttlMs: 600_000, maxBytes: 10_000 },
  join: () => ok(),
});

function whole({ operation, table, row, old, unchanged }: Change): object {
  return { operation, table, row, old, unchanged };
}

const tables: Readonly<Record<string, SourceTable>> = {
  "public.orders": {
    when: ["insert", "update", "delete", "truncate"],
    map: (change) => ({ topic: "orders", event: change.operation, payload: whole(change) }),
  },
  "public.kept": {
    map: (change) => ({ topic: "kept:all", event: "change", payload: change.row }),
  },
  "public.small": {
    map: (change) => ({ topic: "small:all", event: "change", payload: change.row }),
  },
  "public.toasted": {
    map: (change) => ({ topic: "toasted", event: change.operation, payload: whole(change) }),
  },
  "public.parts": {
    when: ["insert", "update", "delete", "truncate"],
    map: (change) => ({ topic: "parts", event: change.operation, payload: whole(change) }),
  },
  "public.filtered": {
    columns: ["id", "status"],
    changed: ["status"],
    filter: ({ row }) => row?.["hidden"] !== true,
    map: (change) => ({ topic: "filtered", event: change.operation, payload: whole(change) }),
  },
  "public.odd": {
    when: ["insert"],
    map: ({ row }) => oddMessages(row?.["kind"], row?.["id"]) as undefined,
  },
};

function oddMessages(kind: unknown, id: unknown): unknown {
  switch (kind) {
    case "throws":
      throw new Error("map failed");
    case "nothing":
      return undefined;
    case "wrong":
      return "a text";
    case "no topic":
      return { event: "odd" };
    case "promise":
      return Promise.resolve();
    case "payload":
      return { topic: "odd", event: "odd", payload: new Map() };
    case "large":
      return { topic: "odd", event: "odd", payload: { text: "x".repeat(20_000_000) } };
    case "three":
      return ["a", "b", "c"].map((event) => ({ topic: "odd", event, payload: { id } }));
    case "mixed":
      // A topic with a history, and an event of it that is never kept.
      return [
        { topic: "kept:mixed", event: "typing", payload: { id } },
        { topic: "kept:mixed", event: "said", payload: { id } },
      ];
    default:
      return { topic: "odd", event: "odd", payload: { id } };
  }
}

interface Reported {
  readonly code: unknown;
  readonly message: string;
  readonly table: string | undefined;
}

const errors: Reported[] = [];
let shard: TransportHost["context"] | undefined;

export default defineEndpoint({
  sockets: {
    "/socket": {
      socket: userSocket,
      channels: { "kept:*": kept, "small:*": small, "*": room },
    },
  },
  start: (context) => {
    shard = context;
    return {};
  },
  routes: {
    "GET /errors": () => ({ status: 200, body: JSON.stringify(errors) }),
  },
  transports: [
    postgresSource({
      ...options,
      tables: Object.fromEntries(
        Object.entries(tables).filter(([name]) => only === undefined || only.includes(name)),
      ),
      onError: (error, change) => {
        const code = "code" in error ? error.code : undefined;
        const reported = { code, message: error.message, table: change?.table };
        errors.push(reported);
        shard?.broadcast("errors", "error", reported);
      },
    }),
  ],
});
