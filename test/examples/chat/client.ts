import { Presence, type Socket } from "phoenix";
import type { Said } from "./history.ts";

/** Twice what the server's history has: what comes twice is found among these. */
const MOST_MESSAGES = 100;

/** What a page does with a room. */
export interface Shown {
  readonly message: (said: Said) => void;
  readonly people: (names: readonly string[]) => void;
  readonly problem: (reason: string) => void;
}

/** Opens a room with the official client, in a browser or anywhere else; gives what says something. */
export function openRoom(socket: Socket, name: string, shown: Shown): (text: string) => void {
  const channel = socket.channel(`room:${name}`);
  const messages: Said[] = [];
  const add = (said: Said): void => {
    if (messages.some(({ id }) => id === said.id)) return;
    messages.push(said);
    if (messages.length > MOST_MESSAGES) messages.shift();
    shown.message(said);
  };
  const refused = (response: unknown): void =>
    shown.problem((response as { readonly reason: string }).reason);

  const presence = new Presence(channel);
  presence.onSync(() => shown.people(presence.list((user) => user).toSorted()));
  channel.on("said", (said) => add(said as Said));
  // After each reconnect too, as the client joins anew: then it adds what was missed.
  channel.join().receive("ok", (response) => {
    for (const said of (response as { readonly history: readonly Said[] }).history) add(said);
  });
  return (text) => void channel.push("say", { text }).receive("error", refused);
}
