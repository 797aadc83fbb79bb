/**
 * PORT: what a channel needs of the transport. Implemented by each transport.
 *
 * Runs on: shard.
 */

/** What waits until a connection has room. */
export interface RoomWaiter {
  /** There is room: it sends, and where there is no more of it, waits again. */
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
  /** True where `subscribe` and `publish` exist; else frames are sent one by one. */
  readonly isNative: boolean;
  /** True where frames may be compressed on their way. */
  readonly isCompressed: boolean;

  /** Sends a string as a text frame, bytes as a binary frame. Bytes are copied before it returns. */
  send(frame: string | Uint8Array): void;
  /** Sends a frame whose payload is encoded as bytes, which are copied before it returns. */
  sendEncoded(payload: Uint8Array, isBinary: boolean): void;

  /** Asks the client for a pong, where the transport knows of such a thing. */
  ping(data: string | Uint8Array): void;

  /** From now on frames published to this native topic come here. */
  subscribe(nativeTopic: string): void;
  unsubscribe(nativeTopic: string): void;

  /** Publishes to all subscribers of a native topic but this connection. */
  publish(nativeTopic: string, frame: Uint8Array, isBinary: boolean, receivers: number): void;

  /**
   * False while so much waits for this client that what may wait elsewhere should. What is sent
   * all the same is kept.
   */
  readonly hasRoom: boolean;
  /** Has `resume` called once, when there is room again. Never, where the connection ends first. */
  awaitRoom(waiter: RoomWaiter): void;

  /** Runs `work` so that frames which it sends leave together. */
  cork(work: () => void): void;

  /** Closes with a code of `protocol/reserved`. */
  close(code: number, reason: string): void;
}

/** Publishes to all connections of the shard that have a native topic. */
export interface Publisher {
  /**
   * @param receivers - how many there are, for the counters
   * @param isCompressed - true where the receivers' connections may compress it
   */
  publish(
    nativeTopic: string,
    frame: Uint8Array,
    isBinary: boolean,
    receivers: number,
    isCompressed: boolean,
  ): void;
}
