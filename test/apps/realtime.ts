/**
 * An app that serves broadcasts to `@supabase/realtime-js`: channels `realtime:*` in that client's formats.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { defineChannel, defineEndpoint, defineSocket, error, ok, reply } from "../../src/index.ts";

/** The payload of a join. */
interface Join {
  readonly config: {
    readonly broadcast: { readonly ack: boolean; readonly self: boolean };
    readonly postgres_changes: readonly object[];
    readonly private: boolean;
  };
  readonly access_token?: string;
}

interface Locals {
  broadcast: Join["config"]["broadcast"];
}

const userSocket = defineSocket({
  connect: ({ params }) => (params["apikey"] === "anon" ? ok({}) : error()),
});

/** The only token that grants access to private channels. */
const TOKEN = "secret";

const realtime = defineChannel(userSocket, {
  locals: (): Locals => ({ broadcast: { ack: false, self: false } }),

  join(socket, payload) {
    const { config, access_token: token } = payload as Join;
    if (config.private && token !== TOKEN) return error({ reason: "Unauthorized" });
    socket.locals.broadcast = config.broadcast;
    // Each requested change gets an id, by which later messages refer to it.
    const changes = config.postgres_changes.map((change, at) => ({ ...change, id: at + 1 }));
    return ok({ postgres_changes: changes, shard: socket.shard });
  },

  handleIn: {
    broadcast(socket, payload) {
      const { ack, self } = socket.locals.broadcast;
      if (self) socket.broadcast("broadcast", payload);
      else socket.broadcastFrom("broadcast", payload);
      return ack ? reply("ok") : undefined;
    },
    access_token(socket, { access_token: token }: { access_token: string }) {
      const status = token === TOKEN ? "ok" : "error";
      socket.push("system", { extension: "system", status, message: token, channel: socket.topic });
    },
  },
});

export default defineEndpoint({
  sockets: { "/realtime/v1": { socket: userSocket, channels: { "realtime:*": realtime } } },
});
