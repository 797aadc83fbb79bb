import type { Socket } from "phoenix";

const FRAME_MS = 1_000 / 60;
/** The client waits that long for an answer to a push: of a move there is none. */
const ANSWER_MS = 100;

export interface Position {
  readonly x: number;
  readonly y: number;
}

/** What a page does with the cursors of others. */
export interface Shown {
  /** The board is joined, or joined anew: what was shown before may have moved, or gone. */
  readonly open: () => void;
  /** Without a position, the cursor is gone. */
  readonly cursor: (user: string, position: Position | undefined) => void;
  /** So many positions were left out, as this client read too slowly; the latest were not. */
  readonly missed: (count: number) => void;
}

/**
 * Opens a board with the official client; gives what moves one's own cursor.
 *
 * It may be called as often as the mouse moves: the latest position leaves, 60 times a second.
 */
export function openBoard(socket: Socket, name: string, shown: Shown): (to: Position) => void {
  const channel = socket.channel(`board:${name}`);
  channel.onMessage = (event, payload) => {
    if (!event.startsWith("at:")) return payload;
    shown.cursor(
      event.slice("at:".length),
      "gone" in Object(payload) ? undefined : (payload as Position),
    );
    return payload;
  };
  channel.on("missed", (payload) => shown.missed((payload as { readonly count: number }).count));
  channel.join().receive("ok", shown.open);

  let latest: Position | undefined;
  let isPaced = false;
  const send = (): void => {
    isPaced = latest !== undefined;
    if (!latest) return;
    channel.push("move", latest, ANSWER_MS);
    latest = undefined;
    setTimeout(send, FRAME_MS);
  };
  return (to) => {
    latest = to;
    if (!isPaced) send();
  };
}
