import type { Channel, Socket } from "phoenix";
import * as Y from "yjs";

/** Bytes of an update that says nothing. */
const EMPTY_BYTES = 2;

/**
 * Keeps a document the same as everybody's, with the official client, in a browser or anywhere else.
 *
 * Whoever was away, or has lost updates, syncs when the client joins anew: both sides tell what they
 * have, and get what they lack.
 */
export function openDocument(socket: Socket, name: string, document: Y.Doc): Channel {
  const channel = socket.channel(`doc:${name}`);
  const add = (update: unknown): void =>
    Y.applyUpdate(document, new Uint8Array(update as ArrayBuffer), channel);
  const send = (update: Uint8Array): void => {
    if (update.length > EMPTY_BYTES) channel.push("update", bytesOf(update));
  };

  channel.on("update", add);
  channel.on("missing", (stateVector) =>
    send(Y.encodeStateAsUpdate(document, new Uint8Array(stateVector as ArrayBuffer))),
  );
  document.on("update", (update: Uint8Array, origin: unknown) => {
    // What is written while the connection is away goes with the next sync.
    if (origin !== channel && channel.state === "joined") send(update);
  });
  channel
    .join()
    .receive("ok", () =>
      channel.push("sync", bytesOf(Y.encodeStateVector(document))).receive("ok", add),
    );
  return channel;
}

/** The official client sends a payload as bytes where it is an ArrayBuffer. */
function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): ArrayBuffer {
  return (buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength);
}
