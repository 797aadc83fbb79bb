import { defineChannel, defineEndpoint, defineSocket, error, ok, typed } from "simurgh";
import { z } from "zod";

const userSocket = defineSocket({
  connect: ({ params }) => (params["user"] ? ok({ user: params["user"], mail: "a@b.c" }) : error()),
});

const room = defineChannel(userSocket, {
  // What clients send: any Standard Schema, such as zod, valibot or arktype.
  params: z.object({ since: z.number().default(0) }),
  in: {
    say: { payload: z.object({ body: z.string().min(1) }), maxBytes: 4_096 },
    spread: z.object({ numbers: z.array(z.number()).min(1) }),
  },
  // What the channel sends: a JSON Schema, or a type.
  out: {
    said: {
      type: "object",
      properties: { body: { type: "string" }, user: { type: "string" } },
      required: ["body", "user"],
      additionalProperties: false,
    },
    tick: typed<{ at: Date }>(),
  },
  // What it sends itself.
  info: typed<"tick">(),

  join: (socket, { since }) => ok({ hello: socket.assigns.user, since }),
  joined: (socket) => socket.send("tick"),
  handleIn: {
    // The mail address is not in the schema, so it is not sent.
    say: (socket, { body }) => socket.broadcast("said", { body, ...socket.assigns }),
    spread: (_, { numbers }) => ok({ least: Math.min(...numbers), most: Math.max(...numbers) }),
  },
  handleInfo: (socket) => socket.push("tick", { at: new Date() }),
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
});
