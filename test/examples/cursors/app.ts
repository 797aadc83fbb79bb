/** Live cursors, which `client.ts` moves and shows: `npx simurgh serve dist/test/examples/cursors/app.js`. */
import { defineChannel, defineEndpoint, defineSocket, error, ok } from "simurgh";

const userSocket = defineSocket({
  connect: ({ params }) => (params["user"] ? ok({ user: params["user"] }) : error()),
});

/** An event for each cursor, since of each event the latest is kept for a client that is slow. */
const board = defineChannel(userSocket, {
  slow: "conflate",
  queue: 256, // Of more cursors than that, those that moved last.
  join: () => ok(),
  handleIn: {
    move(socket, { x, y }: { x: unknown; y: unknown }) {
      if (!Number.isFinite(x) || !Number.isFinite(y)) return error({ reason: "x and y?" });
      return socket.broadcastFrom(`at:${socket.assigns.user}`, { x, y });
    },
  },
  missed: (socket, count) => socket.push("missed", { count }),
  // By the same event: whoever was slow must not see it where it was.
  terminate: (socket) => socket.broadcast(`at:${socket.assigns.user}`, { gone: true }),
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "board:*": board } } },
});
