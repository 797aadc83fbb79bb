import { defineChannel, defineEndpoint, defineSocket, ok } from "simurgh";

const userSocket = defineSocket({
  connect: ({ params }) => ok({ name: params["name"] ?? "somebody" }),
  id: ({ assigns }) => `users:${assigns.name}`,
  limits: {
    messages: { limit: 50, perMs: 1_000, burst: 100 }, // per connection
    joins: { limit: 20, perMs: 1_000, burst: 50 },
    perId: { bytes: { limit: 100_000, perMs: 1_000 } }, // per user, all connections together
    perAddress: { connects: { limit: 10, perMs: 1_000 } }, // per client address
  },
});

const room = defineChannel(userSocket, {
  limits: { messages: { limit: 20, perMs: 1_000 } }, // per connection and topic
  in: { new_msg: { rate: { limit: 2, perMs: 1_000, burst: 3 } } }, // per connection, topic and event
  join: () => ok(),
  handleIn: {
    new_msg: (socket, payload) => socket.broadcast("new_msg", { payload }),
    typing: (socket) => socket.broadcastFrom("typing"),
  },
});

export default defineEndpoint({
  trustProxy: ["127.0.0.1"], // nginx on this machine, which names each client in X-Forwarded-For
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
});
