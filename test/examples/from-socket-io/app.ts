import { defineChannel, defineEndpoint, defineSocket, error, ok, typed } from "simurgh";

type Said = { text: string; from: string };
type Who = { user: string };

// io.use: who is it?
const userSocket = defineSocket({
  connect: ({ params }) => (params["user"] ? ok({ user: params["user"] }) : error()),
  id: ({ assigns }) => `users:${assigns.user}`,
});

// A room, and what a connection can do there after joining.
const room = defineChannel(userSocket, {
  // Types of outgoing events, for this code and the client.
  out: { said: typed<Said>(), joined: typed<Who>(), left: typed<Who>(), typing: typed<Who>() },
  join(socket) {
    if (socket.topic === "room:staff" && socket.assigns.user !== "ann")
      return error({ reason: "no" });
    return ok();
  },
  joined: (socket) => socket.broadcastFrom("joined", { user: socket.assigns.user }),
  handleIn: {
    // socket.on("say", (text, callback) => { … })
    say(socket, { text }: { text: string }) {
      if (text === "") return error({ reason: "empty" });
      socket.broadcast("said", { text, from: socket.assigns.user });
      return ok({ atMs: Date.now() });
    },
    typing: (socket) => socket.broadcastFrom("typing", { user: socket.assigns.user }),
    // io.to(`user:${to}`).emit(…)
    whisper(socket, { to, text }: { to: string; text: string }) {
      const from = socket.assigns.user;
      socket.context.broadcast(`user:${to}`, "whispered", { text, from });
    },
  },
  // socket.on("disconnect"); also called when a client leaves the room.
  terminate: (socket) => socket.broadcastFrom("left", { user: socket.assigns.user }),
});

/** The inbox of a user, which reaches all of the user's connections. */
const inbox = defineChannel(userSocket, {
  out: { whispered: typed<Said>() },
  join: ({ topic, assigns }) => (topic === `user:${assigns.user}` ? ok() : error({ reason: "no" })),
});

export default defineEndpoint({
  sockets: {
    "/socket": {
      socket: userSocket,
      channels: { "room:*": room, "user:*": inbox },
      longpoll: true, // Socket.IO's polling.
    },
  },
});
