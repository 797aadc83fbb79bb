import type { Socket } from "phoenix";

const FRAME_MS = 1_000 / 60;
/** How long the client waits for a reply to a push; moves get none. */
const ANSWER_MS = 100;

export interface Position {
  readonly x: number;
  readonly y: number;
}

/** Callbacks with which a page shows the cursors of others. */
export interface Shown {
  /** Called after each join or rejoin. Cursors shown before may have moved or gone. */
  readonly open: () => void;
  /** Called when a cursor moves. Without a position, the cursor is gone. */
  readonly cursor: (user: string, position: Position | undefined) => void;
  /** Called when positions were dropped because this client read too slowly. The latest ones never are. */
  readonly missed: (count: number) => void;
}

/**
 * Opens a board with the official client. Returns a function that moves the user's own cursor.
 *
 * Call it for every mouse move: it sends the latest position, at most 60 times a second.
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
