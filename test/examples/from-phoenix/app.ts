import { defineChannel, defineEndpoint, definePresence, defineSocket } from "simurgh";
import { error, ok, stop, typed, type Broadcast } from "simurgh";
import { verifyPhoenixToken } from "simurgh/token";
import { makeReport } from "./report.ts";

const presence = definePresence<{ at: number }>();

const userSocket = defineSocket({
  connect(request) {
    const options = { salt: "user auth", maxAgeMs: 1_209_600_000 };
    const token = verifyPhoenixToken(request, request.params["token"], options);
    if (!token.ok || typeof token.data !== "number") return error();
    return ok({ userId: `${token.data}`, muted: [] as string[] });
  },
  id: ({ assigns }) => `users:${assigns.userId}`,
});

const room = defineChannel(userSocket, {
  info: typed<Broadcast>(),
  locals: () => ({ said: 0 }),
  join(socket) {
    if (socket.topic === "room:private") return error({ reason: "unauthorized" });
    socket.subscribe("news");
    return ok({ you: socket.assigns.userId });
  },
  joined(socket) {
    presence.track(socket, socket.assigns.userId, { at: Date.now() });
    socket.push("presence_state", presence.list(socket));
  },
  handleInfo: (socket, { event, payload }) => socket.push(event, payload),
  handleIn: {
    say(socket, { text }: { text: string }) {
      socket.broadcast("said", { text, from: socket.assigns.userId });
      socket.locals.said += 1;
      return ok({ said: socket.locals.said });
    },
    mute: (socket, { user }: { user: string }) =>
      socket.assign(({ muted }) => ({ muted: [...muted, user] })),
    report(socket) {
      const ref = socket.replyLater();
      void makeReport(socket.topic).then((report) => ref.reply("ok", report));
    },
    quit: () => stop("normal", ok()),
  },
  intercept: {
    said(socket, payload) {
      const { from } = payload as { from: string };
      if (!socket.assigns.muted.includes(from)) socket.push("said", payload);
    },
  },
  terminate: (socket) => socket.broadcastFrom("left", { user: socket.assigns.userId }),
});

export default defineEndpoint({
  presences: [presence],
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room }, longpoll: true } },
});
