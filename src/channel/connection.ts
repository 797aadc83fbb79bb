/**
 * PORT: the operations that a channel needs on its client's connection. Implemented by each
 * transport.
 *
 * Only WebSocket connections are native: the engine publishes to all of them at once. Other
 * transports send each frame to each connection.
 *
 * Runs on: shard.
 */

/** Something that waits until a connection has room. */
export interface RoomWaiter {
  /** Sends the frames that are waiting. If there is not enough room, waits again. */
  resume(): void;
}

/** The connection of one client, over any transport. */
export interface Connection {
  /** Number of the connection. Its shard is this number modulo the number of shards. */
  readonly id: number;
  /** `websocket`, `longpoll`, or the name of a custom transport. */
  readonly transport: string;
  /** False once the connection has ended; all methods below then do nothing. */
  readonly isOpen: boolean;
  /**
   * The engine's publish and subscribe. If undefined, frames are sent to the connection one by one.
   */
  readonly native: NativeConnection | undefined;

  /**
   * Sends a string as a text frame, or bytes as a binary frame. Bytes are copied before it returns.
   */
  send(frame: string | Uint8Array): void;
  /** Sends a frame whose payload is encoded as bytes, which are copied before it returns. */
  sendEncoded(payload: Uint8Array, isBinary: boolean): void;

  /** Sends a ping, which the client answers with a pong. Absent if the transport has no pings. */
  ping?(data: string | Uint8Array): void;

  /** Bytes that are held for this client: not sent yet, or not handled yet. */
  readonly heldBytes: number;
  /**
   * False while so much data is waiting for this client that senders should hold back what they
   * can. Anything sent nevertheless is still queued.
   */
  readonly hasRoom: boolean;
  /** Calls `resume` once when there is room again. Never calls it if the connection ends first. */
  awaitRoom(waiter: RoomWaiter): void;
  /** Forgets a waiter that has ended, since a client that does not read may never have room. */
  stopAwaiting(waiter: RoomWaiter): void;

  /**
   * Called when a channel may have handled all that it received: a join was answered, a promise settled, or nothing
   * waits any more. Absent if the transport does not need it.
   */
  handled?(): void;
  /** Called when a handler will reply to a message later. Absent if the transport does not need it. */
  repliesLater?(topic: string, ref: unknown): void;

  /** Runs `work`, and sends the frames that it produces together. */
  cork(work: () => void): void;

  /** Closes the connection with a code from `protocol/reserved`. */
  close(code: number, reason: string): void;
}

/** A connection that the engine publishes to. */
export interface NativeConnection {
  /** True if frames to this client may be compressed. */
  readonly isCompressed: boolean;

  /** Subscribes the connection to a native topic. */
  subscribe(nativeTopic: string): void;
  /** Unsubscribes the connection from a native topic. */
  unsubscribe(nativeTopic: string): void;

  /** Publishes to all subscribers of a native topic, except this connection. */
  publish(nativeTopic: string, frame: Uint8Array, isBinary: boolean, receivers: number): void;
}

/** The engine's publish function, for all connections of a shard. */
export interface Publisher {
  /**
   * Notes what a broadcast costs, before it is published, held, or sent to one client after the other. The sender's
   * turn of the event loop pays for it.
   *
   * @param bytes - length of the frame
   */
  charge(receivers: number, bytes: number): void;

  /**
   * Publishes to all subscribers of a native topic.
   *
   * @param receivers - the number of subscribers, for the counters
   * @param isCompressed - true if the receivers' connections may compress the frame
   */
  publish(
    nativeTopic: string,
    frame: Uint8Array,
    isBinary: boolean,
    receivers: number,
    isCompressed: boolean,
  ): void;
}
