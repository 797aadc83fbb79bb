import { defineChannel, defineEndpoint, defineSocket, ok } from "simurgh";
import { eventStream } from "./transport.ts";

const userSocket = defineSocket({
  connect: ({ params, transport }) => ok({ user: params["user"] ?? transport }),
});

const room = defineChannel(userSocket, {
  join: (socket) => ok({ hello: socket.assigns.user }),
  handleIn: {
    say: (socket, { text }: { text: string }) =>
      socket.broadcast("said", { text, from: socket.assigns.user }),
    // Broadcasts bytes unchanged, such as a picture or a sound.
    show: (socket, bytes: Uint8Array) => socket.broadcast("shown", bytes),
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
  transports: [eventStream("/socket")],
});
