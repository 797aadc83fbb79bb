import type { Socket } from "phoenix";
import { Client } from "simurgh/client";

import type app from "./app.js";

/** Joins a room, pushes a message and makes a request. Topics, events and payloads are typed by the app. */
export async function visit(socket: Socket, name: string): Promise<string[]> {
  const lines: string[] = [];
  const client = new Client<typeof app>(socket);
  const room = client.channel(`room:${name}`, { since: 7 });
  room.on("tick", ({ at }) => lines.push(`tick in ${at.slice(0, 2)}xx`));
  const heard = new Promise<void>((resolve) => {
    room.on("said", ({ body, user, ...rest }) => {
      lines.push(`${user} said ${body}, and ${Object.keys(rest).length} other things are known`);
      resolve();
    });
  });

  const { hello, since } = await room.join({ timeoutMs: 5_000 });
  lines.push(`hello ${hello}, of ${since}`);
  room.push("say", { body: "hi" });
  await heard;
  const { least, most } = await room.request("spread", { numbers: [3, 1, 2] });
  lines.push(`from ${least} to ${most}`);
  await room.leave();
  return lines;
}
