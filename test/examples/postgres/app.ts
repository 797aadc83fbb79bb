import { defineChannel, defineEndpoint, defineSocket, error, ok, reply } from "simurgh";
import { postgresTransport, type PostgresInfo } from "simurgh/postgres";

const userSocket = defineSocket({
  connect({ params, connectInfo }) {
    // The database says which role a program has. An app would check a token of other clients.
    const program = connectInfo["postgres"] as PostgresInfo | undefined;
    const user = program ? program.role : params["user"];
    return typeof user === "string" ? ok({ user }) : error({ reason: "who?" });
  },
});

const room = defineChannel(userSocket, {
  join: () => ok(),
  handleIn: {
    say(socket, { text }: { text: string }) {
      socket.broadcast("said", { text, from: socket.assigns.user });
      return reply("ok", { text });
    },
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
  transports: [postgresTransport({ path: "/socket" })],
});
