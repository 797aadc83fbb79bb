import { defineChannel, defineEndpoint, defineSocket, error, ok, reply } from "simurgh";

const userSocket = defineSocket({
  connect: ({ params }) => (params["user"] ? ok({ user: params["user"] }) : error()),
  id: ({ assigns }) => `users:${assigns.user}`,
});

const room = defineChannel(userSocket, {
  join: (socket) => ok({ hello: socket.assigns.user }),
  handleIn: {
    say: (socket, payload: { text: string }) =>
      socket.broadcast("said", { text: payload.text, from: socket.assigns.user }),
    ping: (_socket, payload) => reply("ok", payload),
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
});
