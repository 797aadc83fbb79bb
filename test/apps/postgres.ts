/**
 * An app for tests of the PostgreSQL transport.
 *
 * Runs on: shard.
 */

import { setTimeout as after } from "node:timers/promises";

import {
  defineChannel,
  defineEndpoint,
  defineSocket,
  error,
  ok,
  reply,
  verbatim,
} from "../../src/index.ts";
import { postgresTransport, type PostgresInfo } from "../../src/postgres/index.ts";

/** Whether handlers say when they begin, for a test that kills the process then. */
const SAYS_HANDLED = process.env["POSTGRES_SAYS_HANDLED"] !== undefined;

const userSocket = defineSocket({
  connect({ params, connectInfo, transport }) {
    const caller = connectInfo["postgres"] as PostgresInfo | undefined;
    if (params["boom"]) throw new Error("as asked");
    if (params["refuse"]) return error({ reason: "not \u00fc\u0000" });
    const user = (caller ? (caller.claims["user"] ?? caller.role) : params["user"]) as string;
    return ok({ user, role: caller?.role ?? null, transport });
  },
  id: ({ assigns }) => `users:${assigns.user}`,
});

const room = defineChannel(userSocket, {
  join(socket, params: { refuse?: string }) {
    if (params.refuse) return error({ reason: params.refuse });
    return ok({ user: socket.assigns.user, role: socket.assigns.role });
  },
  handleIn: {
    say: (socket, { text }: { text: string }) => {
      socket.broadcast("said", { text, from: socket.assigns.user });
      return reply("ok", { text });
    },
    echo: (_socket, payload: object) => reply("ok", payload),
    verbatim: verbatim((_socket, payload) => reply("ok", payload)),
    quiet: (socket, { n }: { n: number }) => socket.broadcast("heard", { n }),
    async slow(_socket, { ms, n }: { ms: number; n: number }) {
      if (SAYS_HANDLED) console.log(`handling ${n}`);
      await after(ms);
      return reply("ok", { n });
    },
    later(socket, { ms, n }: { ms: number; n: number }) {
      const later = socket.replyLater();
      setTimeout(() => later.reply("ok", { n }), ms);
    },
    push(socket, { count, size }: { count: number; size: number }) {
      for (let n = 0; n < count; n += 1) socket.push("pushed", { n, text: "x".repeat(size) });
    },
    odd: (socket) => socket.push("odd", { text: "a\u0000b \\u0000 \ud800 \ud83d\ude00" }),
    crash: () => {
      throw new Error("as asked");
    },
  },
});

const kept = defineChannel(userSocket, {
  join: () => ok(),
  history: { size: 1_000, ttlMs: 600_000 },
});

/** Options as JSON, from the test. */
const given = JSON.parse(process.env["POSTGRES_OPTIONS"] ?? "{}") as object;

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room, "kept:*": kept } } },
  transports: [postgresTransport({ path: "/socket", ...given })],
  routes: {
    "GET /page": () => ({
      status: 200,
      headers: { "content-type": "text/html" },
      body: "<!doctype html><title>postgres</title>",
    }),
  },
});
