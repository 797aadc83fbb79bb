import { defineEndpoint, error, ok, reply } from "simurgh";
import { closeWith, defineRawSocket } from "simurgh/raw";
import type { Broadcast } from "simurgh";

/** Plain text: `+gold` and `-gold` say of what a client wants to hear. */
const ticker = defineRawSocket({
  connect: ({ params }) => (params["user"] ? ok({ user: params["user"] }) : error("who?")),
  id: ({ state }) => `users:${state.user}`,
  handleIn(socket, { opcode, data }) {
    if (opcode === "binary") return closeWith(1003, "text only");
    const topic = `ticker:${data.slice(1)}`;
    if (data.startsWith("+")) socket.subscribe(topic);
    else socket.unsubscribe(topic);
    return reply("ok", `${data} ok`);
  },
  handleInfo(socket, message) {
    const { topic, payload } = message as Broadcast;
    // A price that finds no room is old by the time there is some.
    if (socket.hasRoom) socket.push(`${topic} ${JSON.stringify(payload)}`);
  },
});

export default defineEndpoint({
  sockets: { "/ticker": { socket: ticker, longpoll: true } },
});
