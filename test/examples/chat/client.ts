import { Presence, type Socket } from "phoenix";
import type { Said } from "./history.ts";

/** Twice the size of the server's history; duplicates are looked for among these messages. */
const MOST_MESSAGES = 100;

/** Callbacks with which a page shows a room. */
export interface Shown {
  readonly message: (said: Said) => void;
  readonly people: (names: readonly string[]) => void;
  readonly problem: (reason: string) => void;
}

/** Opens a room with the official client, in a browser or elsewhere. Returns a function that sends text. */
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
  // The client also joins again after each reconnect; this then adds the missed messages.
  channel.join().receive("ok", (response) => {
    for (const said of (response as { readonly history: readonly Said[] }).history) add(said);
  });
  return (text) => void channel.push("say", { text }).receive("error", refused);
}
