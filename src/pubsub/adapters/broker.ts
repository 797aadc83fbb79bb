/**
 * PORT: a server through which nodes send each other messages by channels, as Redis.
 *
 * What an adapter over such a server does stands in `broker-adapter`; what is particular to one
 * kind of server is behind this.
 *
 * Runs on: link.
 */

/** What a wire tells its adapter. */
export interface WireEvents {
  /** Takes a message of a channel. `bytes` are the callee's to keep and to change. */
  onMessage(channel: string, bytes: Buffer): void;
  /** The wire is lost: nothing comes or goes any more. Told once, to who has it and did not close it. */
  onLost(error: Error): void;
}

/** One connection to the server, from when it is subscribed until it is lost or closed. */
export interface BrokerWire {
  /**
   * Sends a message to a channel. Messages of one wire keep their order, over all channels.
   *
   * @param bytes - the wire's from now on
   * @returns how many wires it was delivered to; rejects where that is not known, or it was refused
   */
  publish(channel: string, bytes: Buffer): Promise<number>;
  /** Ends the connection at once. */
  close(): void;
}

/** A kind of server, and which one. */
export interface Broker {
  /** What log lines call it, without any password, as `redis://host:6379`. */
  readonly address: string;
  /**
   * Connects, and subscribes to channels. Resolves when messages come.
   *
   * @param signal - gives up: nothing must hold the thread then
   * @throws SIM_ERR_BROKER_REFUSED, SIM_ERR_CLIENT_PACKAGE where another try would be in vain;
   *   anything else where it would not
   */
  connect(
    channels: readonly string[],
    events: WireEvents,
    signal: AbortSignal,
  ): Promise<BrokerWire>;
}
