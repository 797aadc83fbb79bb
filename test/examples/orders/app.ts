import { defineChannel, defineEndpoint, defineSocket, error, ok } from "simurgh";
import { postgresSource } from "simurgh/postgres";

const userSocket = defineSocket({
  connect: ({ params }) => ok({ user: params["user"] ?? "" }), // check a token here
});

const orders = defineChannel(userSocket, {
  history: { size: 100, ttlMs: 300_000 }, // clients that were away get what they missed
  join: (socket) =>
    socket.topic === `orders:${socket.assigns.user}` ? ok() : error({ reason: "forbidden" }),
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "orders:*": orders } } },
  transports: [
    postgresSource({
      by: "triggers", // or "replication"
      tables: {
        "public.orders": {
          columns: ["id", "customer", "status"],
          old: true, // a deleted row has its customer, too
          filter: ({ row }) => row?.["status"] !== "draft",
          map: ({ operation, row, old }) => ({
            topic: `orders:${String((row ?? old)?.["customer"])}`,
            event: operation, // insert, update or delete
            payload: row ?? old,
          }),
        },
      },
    }),
  ],
});
