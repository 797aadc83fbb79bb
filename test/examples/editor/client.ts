import type { Channel, Socket } from "phoenix";
import * as Y from "yjs";

/** Size of an empty update. */
const EMPTY_BYTES = 2;

/**
 * Keeps a document in sync with all other clients, using the official client, in a browser or elsewhere.
 *
 * After a disconnect or lost updates, the client joins again and syncs: both sides send their state and get
 * what they lack.
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
    // Changes made while disconnected are sent with the next sync.
    if (origin !== channel && channel.state === "joined") send(update);
  });
  channel
    .join()
    .receive("ok", () =>
      channel.push("sync", bytesOf(Y.encodeStateVector(document))).receive("ok", add),
    );
  return channel;
}

/** Converts bytes to an ArrayBuffer, which the official client sends as a binary payload. */
function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): ArrayBuffer {
  return (buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength);
}
