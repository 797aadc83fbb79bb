/**
 * Maps the constructor name of an object to the part of the server that it belongs to.
 *
 * Runs on: the process of `npm run account`.
 */

/** Parts of a joined connection that live in the JavaScript heap. */
export type HeapPart = "engine" | "socket" | "channel" | "registry";

/**
 * The classes whose objects belong to a joined connection or hold something for it. Arrays, strings
 * and tables are attributed to the nearest of these objects that holds them.
 */
const PARTS: Readonly<Record<string, HeapPart>> = {
  // The engine's JavaScript object for a WebSocket, with its slot for user data.
  "uWS.WebSocket": "engine",
  WebSocketConnection: "socket",
  WebSocketTransport: "socket",
  Socket: "socket",
  SocketServer: "socket",
  Channel: "channel",
  Lane: "registry",
  TopicEntry: "registry",
  Registry: "registry",
};

/** Returns the part that a class belongs to; undefined if it is not part of a connection. */
export function partOf(constructorName: string): HeapPart | undefined {
  return Object.hasOwn(PARTS, constructorName) ? PARTS[constructorName] : undefined;
}
