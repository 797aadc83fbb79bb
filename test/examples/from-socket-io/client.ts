import type { Channel, Socket } from "phoenix";

/** What somebody said or whispered. */
export interface Said {
  readonly text: string;
  readonly from: string;
}

/** What a page shows. */
export interface Shown {
  readonly said: (said: Said) => void;
  readonly whispered: (said: Said) => void;
  readonly refused: (reason: string) => void;
}

/** Joins a room and the user's own inbox; both come back by themselves after each reconnect. */
export function enter(socket: Socket, user: string, name: string, shown: Shown): Channel {
  const room = socket.channel(`room:${name}`);
  const inbox = socket.channel(`user:${user}`);
  room.on("said", (payload) => shown.said(payload as Said));
  inbox.on("whispered", (payload) => shown.whispered(payload as Said));
  for (const channel of [inbox, room]) {
    channel.join().receive("error", (response) => shown.refused(reasonOf(response)));
  }
  return room;
}

/** await socket.timeout(5000).emitWithAck("say", text) */
export function say(room: Channel, text: string): Promise<{ atMs: number }> {
  return new Promise((resolve, reject) => {
    room
      .push("say", { text }, 5_000)
      .receive("ok", (response) => resolve(response as { atMs: number }))
      .receive("error", (response) => reject(new Error(reasonOf(response))))
      .receive("timeout", () => reject(new Error("timeout")));
  });
}

function reasonOf(response: unknown): string {
  return (response as { readonly reason: string }).reason;
}
