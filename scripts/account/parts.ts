/**
 * To which part of the server an object belongs, by its constructor's name.
 *
 * Runs on: the process of `npm run account`.
 */

/** Parts of a joined connection that live in the JavaScript heap. */
export type HeapPart = "engine" | "socket" | "channel" | "registry";

/**
 * Every class that a joined connection has an object of, or that holds something for it. Arrays,
 * strings and tables are those of the nearest of these that holds them.
 */
const PARTS: Readonly<Record<string, HeapPart>> = {
  // The engine's object in JavaScript: what it calls a WebSocket, and its place for user data.
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

/** The part of a class, or nothing where it is none of a connection's. */
export function partOf(constructorName: string): HeapPart | undefined {
  return Object.hasOwn(PARTS, constructorName) ? PARTS[constructorName] : undefined;
}
