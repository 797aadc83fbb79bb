/**
 * PORT: a server through whose channels nodes send each other messages, such as Redis.
 *
 * `broker-adapter` contains everything that adapters over such servers have in common. What is
 * specific to one kind of server is behind this port.
 *
 * Runs on: link.
 */

/** Receives the events of a connection. */
export interface BrokerListener {
  /** Handles a message on a channel. The callee may keep and modify `bytes`. */
  onMessage(channel: string, bytes: Buffer): void;
  /**
   * Called once if the connection is lost after `connect` has resolved. Not called for a connection
   * that was closed.
   */
  onLost(error: Error): void;
}

/** One connection to the server, from its subscription until it is lost or closed. */
export interface BrokerConnection {
  /**
   * Sends a message to a channel. Messages of one connection keep their order, across all channels.
   *
   * @param bytes - owned by the connection from this call on
   * @returns the number of connections that received the message, including this one; Infinity if
   *   the server does not report it. Rejects if delivery is uncertain, or the message was refused
   */
  publish(channel: string, bytes: Buffer): Promise<number>;
  /** Ends the connection immediately. */
  close(): void;
}

/** A server of some kind. */
export interface Broker {
  /** The server's name in log lines, without a password, such as `redis://host:6379`. */
  readonly address: string;
  /**
   * Connects, and subscribes to channels. Resolves when messages are being received.
   *
   * @param signal - aborted if it takes too long, or is no longer wanted. After that, the attempt must
   *   not keep the thread alive
   * @throws SIM_ERR_BROKER_REFUSED or SIM_ERR_CLIENT_PACKAGE if retrying would be pointless; any
   *   other error if it may succeed
   */
  connect(
    channels: readonly string[],
    listener: BrokerListener,
    signal: AbortSignal,
  ): Promise<BrokerConnection>;
}
