import type { Channel, Socket } from "phoenix";

/** Joins a room where strokes are drawn, which are sent as bytes. */
export async function joinCanvas(
  socket: Socket,
  onDrawn: (strokes: Uint8Array) => void,
): Promise<Channel> {
  const room = socket.channel("room:canvas");
  room.on("drawn", (strokes) => onDrawn(new Uint8Array(strokes as ArrayBuffer)));
  await new Promise((resolve, reject) => {
    room.join().receive("ok", resolve).receive("error", reject);
  });
  return room;
}

/** Sends strokes. The official client sends an ArrayBuffer as bytes, but a view of one as JSON. */
export function draw(room: Channel, strokes: Uint8Array): void {
  room.push("draw", Uint8Array.from(strokes).buffer);
}
