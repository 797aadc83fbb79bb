/** A chat with a history, which `client.ts` shows: `npx simurgh serve dist/test/examples/chat/app.js`. */
import { randomUUID } from "node:crypto";
import { defineChannel, defineEndpoint, definePresence, defineSocket, error, ok } from "simurgh";
import { History, type Said } from "./history.ts";

/** All that is said in any room, for the histories; no client can join it. */
const EVERYTHING = "chat:everything";
const MOST_CHARACTERS = 500;

const history = new History({ perRoom: 50, rooms: 1_000 });
const presence = definePresence();

const userSocket = defineSocket({
  connect: ({ params }) => (params["user"] ? ok({ user: params["user"] }) : error()),
});

const room = defineChannel(userSocket, {
  join(socket) {
    socket.send("joined"); // Clients hear of nothing before the join is answered.
    return ok({ history: history.of(socket.topic) });
  },
  handleInfo(socket) {
    presence.track(socket, socket.assigns.user, {});
    socket.push("presence_state", presence.list(socket));
  },
  handleIn: {
    say(socket, { text }: { text: unknown }) {
      if (typeof text !== "string" || text === "" || text.length > MOST_CHARACTERS) {
        return error({ reason: `a message must have 1 to ${MOST_CHARACTERS} characters` });
      }
      const { topic, assigns, context } = socket;
      const id = randomUUID();
      const said: Said = { id, room: topic, from: assigns.user, text, atMs: Date.now() };
      // In this order: who joins in between gets it twice, by one id, and not never.
      context.broadcast(EVERYTHING, "said", said);
      socket.broadcast("said", said);
      return ok();
    },
  },
});

export default defineEndpoint({
  presences: [presence],
  sockets: {
    "/socket": {
      socket: userSocket,
      channels: { "room:*": room },
      websocket: { maxFrameBytes: 4_096 },
    },
  },
  start(context) {
    // Each shard keeps its own, since it started; what must outlive that belongs into a database.
    // What may have a hole is not shown as if it had none: after a gap the history begins anew.
    context.subscribe(
      EVERYTHING,
      ({ payload }) => history.add(payload as Said),
      () => history.clear(),
    );
  },
});
