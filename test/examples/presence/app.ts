import { defineChannel, defineEndpoint, definePresence, defineSocket, error, ok } from "simurgh";

export const presence = definePresence<{ device: string }>();

const userSocket = defineSocket({
  connect: ({ params }) => (params["user"] ? ok({ user: params["user"] }) : error()),
});

const room = defineChannel(userSocket, {
  locals: () => ({ device: "unknown" }),
  join(socket, { device }: { device?: string }) {
    if (device !== undefined) socket.locals.device = device;
    return ok();
  },
  joined(socket) {
    presence.track(socket, socket.assigns.user, { device: socket.locals.device });
    socket.push("presence_state", presence.list(socket));
  },
});

export default defineEndpoint({
  presences: [presence],
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
});
