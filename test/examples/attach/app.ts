import { defineChannel, defineEndpoint, defineSocket, ok } from "simurgh";

const visitors = defineSocket({
  connect: ({ params, connectInfo }) =>
    ok({ name: params["name"] ?? "somebody", address: connectInfo.peerData?.address }),
});

const room = defineChannel(visitors, {
  join: ({ assigns }) => ok({ hello: assigns.name, address: assigns.address }),
  handleIn: {
    say: (socket, payload) => socket.broadcast("said", { by: socket.assigns.name, payload }),
  },
});

export default defineEndpoint({
  sockets: {
    "/socket": {
      socket: visitors,
      channels: { "room:*": room },
      longpoll: true,
      connectInfo: ["peerData"],
    },
  },
});
