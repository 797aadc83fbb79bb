/** A chat with a history; `client.ts` is its client. `npx simurgh serve dist/test/examples/chat/app.js` */
import { randomUUID } from "node:crypto";
import { defineChannel, defineEndpoint, definePresence, defineSocket, error, ok } from "simurgh";
import { History, type Said } from "./history.ts";

/** Internal topic with the messages of all rooms, for the histories. No client can join it. */
const EVERYTHING = "chat:everything";
const MOST_CHARACTERS = 500;

const history = new History({ perRoom: 50, rooms: 1_000 });
const presence = definePresence();

const userSocket = defineSocket({
  connect: ({ params }) => (params["user"] ? ok({ user: params["user"] }) : error()),
});

const room = defineChannel(userSocket, {
  join: (socket) => ok({ history: history.of(socket.topic) }),
  joined(socket) {
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
      // In this order, a client that joins in between gets the message twice (with one id) rather than never.
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
    // Each shard keeps its own history since its start. Use a database for what must last longer.
    // After a gap, the history is cleared, so that it never has holes.
    context.subscribe(
      EVERYTHING,
      ({ payload }) => history.add(payload as Said),
      () => history.clear(),
    );
  },
});
