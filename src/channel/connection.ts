/**
 * PORT: what a channel needs from its client's connection. Implemented by each transport.
 *
 * Only WebSocket connections are native: the engine publishes to all of them at once. Other
 * transports send each frame to each connection.
 *
 * Runs on: shard.
 */

/** Something that waits until a connection has room. */
export interface RoomWaiter {
  /** Sends what waits. If the room is not enough, it waits again. */
  resume(): void;
}

/** One client, however it is connected. */
export interface Connection {
  /** Number of the connection: its shard is this modulo the number of shards. */
  readonly id: number;
  /** `websocket`, `longpoll`, or the name of a custom transport. */
  readonly transport: string;
  /** False once it has ended; everything below then does nothing. */
  readonly isOpen: boolean;
  /** The engine's publish and subscribe; undefined: frames are sent to it one by one. */
  readonly native: NativeConnection | undefined;

  /** Sends a string as a text frame, bytes as a binary frame. Bytes are copied before it returns. */
  send(frame: string | Uint8Array): void;
  /** Sends a frame whose payload is encoded as bytes, which are copied before it returns. */
  sendEncoded(payload: Uint8Array, isBinary: boolean): void;

  /** Sends a ping, which the client answers with a pong. Absent if the transport has no pings. */
  ping?(data: string | Uint8Array): void;

  /**
   * False while so much waits for this client that senders should hold back what they can. What is
   * sent nevertheless is kept.
   */
  readonly hasRoom: boolean;
  /** Calls `resume` once, when there is room again; never, if the connection ends first. */
  awaitRoom(waiter: RoomWaiter): void;

  /** Runs `work`, and sends the frames of `work` together. */
  cork(work: () => void): void;

  /** Closes with a code of `protocol/reserved`. */
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

/** The engine's publish, to all connections of a shard. */
export interface Publisher {
  /**
   * Publishes to all subscribers of a native topic.
   *
   * @param receivers - how many there are, for the counters
   * @param isCompressed - true if the receivers' connections may compress it
   */
  publish(
    nativeTopic: string,
    frame: Uint8Array,
    isBinary: boolean,
    receivers: number,
    isCompressed: boolean,
  ): void;
}
