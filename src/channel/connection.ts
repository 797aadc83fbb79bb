/**
 * PORT: what a channel needs of the connection of its client. Implemented by each transport.
 *
 * A transport implements what it can do. WebSocket alone is native: the engine publishes to all of its
 * connections at once. Other transports send each frame to each connection.
 *
 * Runs on: shard.
 */

/** Something that waits until a connection has room. */
export interface RoomWaiter {
  /** Sends, now that there is room. If that is not enough, it waits again. */
  resume(): void;
}

/** One client, however it is connected. */
export interface Connection {
  /** Number of the connection: its shard is this modulo the number of shards. */
  readonly id: number;
  /** `websocket`, `longpoll`, or the name of a custom transport. */
  readonly transport: string;
  /** False once it ended; everything below then does nothing. */
  readonly isOpen: boolean;
  /** What the engine can do for it; undefined: frames are sent to it one by one. */
  readonly native: NativeConnection | undefined;

  /** Sends a string as a text frame, bytes as a binary frame. Bytes are copied before it returns. */
  send(frame: string | Uint8Array): void;
  /** Sends a frame whose payload is encoded as bytes, which are copied before it returns. */
  sendEncoded(payload: Uint8Array, isBinary: boolean): void;

  /** Asks the client for a pong. Absent if the transport has no such thing. */
  ping?(data: string | Uint8Array): void;

  /**
   * False while so much waits for this client that what may wait elsewhere should. What is sent
   * all the same is kept.
   */
  readonly hasRoom: boolean;
  /** Calls `resume` once, when there is room again; never, if the connection ends first. */
  awaitRoom(waiter: RoomWaiter): void;

  /** Runs `work` so that frames which it sends leave together. */
  cork(work: () => void): void;

  /** Closes with a code of `protocol/reserved`. */
  close(code: number, reason: string): void;
}

/** A connection that the engine publishes to. */
export interface NativeConnection {
  /** True if frames may be compressed on their way. */
  readonly isCompressed: boolean;

  /** Sends frames that are published to this native topic to this connection, from now on. */
  subscribe(nativeTopic: string): void;
  /** Ends what `subscribe` began. */
  unsubscribe(nativeTopic: string): void;

  /** Publishes to all subscribers of a native topic but this connection. */
  publish(nativeTopic: string, frame: Uint8Array, isBinary: boolean, receivers: number): void;
}

/** Publishes to all connections of the shard that have a native topic. */
export interface Publisher {
  /**
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
