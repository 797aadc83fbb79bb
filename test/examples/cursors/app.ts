/** Live cursors; `client.ts` is its client. `npx simurgh serve dist/test/examples/cursors/app.js` */
import { defineChannel, defineEndpoint, defineSocket, error, ok } from "simurgh";

const userSocket = defineSocket({
  connect: ({ params }) => (params["user"] ? ok({ user: params["user"] }) : error()),
});

/** Each cursor has its own event, because `conflate` keeps the latest broadcast of each event. */
const board = defineChannel(userSocket, {
  slow: "conflate",
  queue: 256, // Keeps this many cursors, those that moved last.
  join: () => ok(),
  handleIn: {
    move(socket, { x, y }: { x: unknown; y: unknown }) {
      if (!Number.isFinite(x) || !Number.isFinite(y)) return error({ reason: "x and y?" });
      return socket.broadcastFrom(`at:${socket.assigns.user}`, { x, y });
    },
  },
  missed: (socket, count) => socket.push("missed", { count }),
  // With the same event, so that it replaces a position that a slow client has not received yet.
  terminate: (socket) => socket.broadcast(`at:${socket.assigns.user}`, { gone: true }),
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "board:*": board } } },
});
