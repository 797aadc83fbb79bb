import { defineChannel, defineEndpoint, defineSocket, ok, verbatim } from "simurgh";
import { eventStream } from "./transport.ts";

const userSocket = defineSocket({
  connect: ({ params, transport }) => ok({ user: params["user"] ?? transport }),
});

const room = defineChannel(userSocket, {
  join: (socket) => ok({ hello: socket.assigns.user }),
  handleIn: {
    say: (socket, { text }: { text: string }) =>
      socket.broadcast("said", { text, from: socket.assigns.user }),
    // Broadcasts a payload unchanged, such as the bytes of a picture or a sound.
    show: verbatim((socket, payload) => socket.broadcast("shown", payload)),
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
  transports: [eventStream("/socket")],
});
