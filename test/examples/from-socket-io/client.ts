import type { Socket } from "phoenix";
import { Client, type ReplyError } from "simurgh/client";

import type app from "./app.js";

/** What a page can do in a room. */
export interface Room {
  say(text: string): Promise<{ readonly atMs: number }>;
  typing(): void;
  whisper(to: string, text: string): void;
  leave(): Promise<void>;
}

/** Joins a room and the user's own inbox. Both are rejoined automatically after each reconnect. */
export function enter(
  socket: Socket,
  user: string,
  name: string,
  show: (line: string) => void,
): Room {
  const client = new Client<typeof app>(socket);
  const inbox = client.channel(`user:${user}`);
  inbox.on("whispered", ({ text, from }) => show(`${from} whispers: ${text}`));
  const room = client.channel(`room:${name}`);
  room.on("said", ({ text, from }) => show(`${from}: ${text}`));
  for (const event of ["joined", "left", "typing"] as const) {
    room.on(event, (who) => show(`${who.user} ${event}`));
  }

  const refused = ({ response }: ReplyError): void => show(`refused ${JSON.stringify(response)}`);
  inbox.join().catch(refused);
  room.join().catch(refused);
  return {
    say: (text) => room.request("say", { text }, { timeoutMs: 5_000 }), // emitWithAck
    typing: () => room.push("typing"),
    whisper: (to, text) => room.push("whisper", { to, text }),
    leave: () => room.leave(),
  };
}
