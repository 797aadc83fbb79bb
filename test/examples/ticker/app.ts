import { defineEndpoint, error, ok, reply } from "simurgh";
import { closeWith, defineRawSocket } from "simurgh/raw";
import type { Broadcast } from "simurgh";

/** A plain-text protocol: `+gold` subscribes to a topic and `-gold` unsubscribes. */
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
    // Without room, skip the price; it would be outdated by the time it could be sent.
    if (socket.hasRoom) socket.push(`${topic} ${JSON.stringify(payload)}`);
  },
});

export default defineEndpoint({
  sockets: { "/ticker": { socket: ticker, longpoll: true } },
});
