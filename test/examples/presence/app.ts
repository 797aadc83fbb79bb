import { defineChannel, defineEndpoint, definePresence, defineSocket, error, ok } from "simurgh";

export const presence = definePresence<{ device: string }>();

const userSocket = defineSocket({
  connect: ({ params }) => (params["user"] ? ok({ user: params["user"] }) : error()),
});

const room = defineChannel(userSocket, {
  join(socket, { device = "unknown" }: { device?: string }) {
    socket.send(device); // Nothing can be pushed before the join is answered.
    return ok();
  },
  handleInfo(socket, device) {
    presence.track(socket, socket.assigns.user, { device: String(device) });
    socket.push("presence_state", presence.list(socket));
  },
});

export default defineEndpoint({
  presences: [presence],
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
});
