import { defineChannel, defineEndpoint, defineSocket, ok } from "simurgh";
import { lines } from "./transport.ts";

const userSocket = defineSocket({
  connect: ({ params, transport }) => ok({ user: params["user"] ?? transport }),
});

const room = defineChannel(userSocket, {
  join: (socket) => ok({ hello: socket.assigns.user }),
  handleIn: {
    say: (socket, { text }: { text: string }) =>
      socket.broadcast("said", { text, from: socket.assigns.user }),
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
  transports: [lines(Number(process.env["LINES_PORT"] ?? 4_100))],
});
