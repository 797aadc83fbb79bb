/** Prints the users in the room whenever they change: node client.ts USER DEVICE [URL]. */
import { Presence, Socket } from "phoenix";
import { WebSocket } from "ws";

/** A user, with a meta for each of their connections. */
interface Present {
  readonly metas: readonly Readonly<Record<string, unknown>>[];
}

const [user = "ann", device = "phone", url = "ws://localhost:4000/socket"] = process.argv.slice(2);
// In a page, leave out the transport.
const socket = new Socket(url, { params: { user }, transport: WebSocket });
socket.connect();

const room = socket.channel("room:lobby", { device });
const presence = new Presence(room); // Before the join, so that it receives the first list.

presence.onSync(() => {
  const people = presence.list(
    (name, { metas }: Present) => `${name} (${metas.map((meta) => meta["device"]).join(", ")})`,
  );
  console.log(`here: ${people.join(", ")}`);
});
presence.onJoin((name, before) => {
  if (before === undefined) console.log(`${name} came`);
});
presence.onLeave((name, { metas }) => {
  if (metas.length === 0) console.log(`${name} left`);
});

room.join().receive("error", (reason) => console.error("not joined:", reason));
