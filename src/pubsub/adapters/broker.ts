/**
 * PORT: a server through which nodes send each other messages by channels, such as Redis.
 *
 * `broker-adapter` contains everything that an adapter over such a server does; what is particular
 * to one kind of server is behind this.
 *
 * Runs on: link.
 */

/** Handles what comes by a connection. */
export interface BrokerListener {
  /** Takes a message of a channel. The callee may keep and change `bytes`. */
  onMessage(channel: string, bytes: Buffer): void;
  /**
   * Called when the connection is lost: nothing comes or goes any more. Called once, after
   * `connect` has resolved, and not for a connection that was closed.
   */
  onLost(error: Error): void;
}

/** One connection to the server, from when it is subscribed until it is lost or closed. */
export interface BrokerConnection {
  /**
   * Sends a message to a channel. Messages of one connection keep their order, over all channels.
   *
   * @param bytes - the connection's from now on
   * @returns how many connections it was delivered to, this one included; Infinity if the server
   *   does not say. Rejects if that is not known, or the message was refused
   */
  publish(channel: string, bytes: Buffer): Promise<number>;
  /** Ends the connection at once. */
  close(): void;
}

/** A kind of server, and which one. */
export interface Broker {
  /** What log lines call it, without any password, such as `redis://host:6379`. */
  readonly address: string;
  /**
   * Connects, and subscribes to channels. Resolves when messages come.
   *
   * @param signal - aborted when it takes too long, or is not wanted any more: then nothing of it
   *   must keep the thread alive
   * @throws SIM_ERR_BROKER_REFUSED, SIM_ERR_CLIENT_PACKAGE if another try would be in vain; any
   *   other error if it would not
   */
  connect(
    channels: readonly string[],
    listener: BrokerListener,
    signal: AbortSignal,
  ): Promise<BrokerConnection>;
}
