/**
 * PORT: the link to other nodes.
 *
 * For each broadcast at most one message goes to each other node. What is lost on the way is told:
 * a node whose link was overtaken sends a *gap* in place of what it lost, and its channels
 * elsewhere are ended with phx_error, so that their clients come back. A gap is bytes that the
 * adapter carries and does not read (`gap.ts` draws them).
 *
 * Runs on: link.
 */

/** Takes a broadcast of another node. `envelope` is the callee's to keep and to change. */
export type RemoteBroadcastHandler = (topic: string, envelope: Uint8Array) => void;

/**
 * Is told that broadcasts of another node were lost. `gap` is what that node sent; empty where the
 * adapter itself knows that it lost something, and not what: then all topics are told.
 */
export type RemoteGapHandler = (gap: Uint8Array) => void;

/** What an adapter tells the link beside what comes from other nodes. */
export interface AdapterReports {
  /**
   * Broadcasts that were taken did not get to the other nodes, or may not have: of these topics,
   * one for each. "all" where it is not known of which. The link tells the other nodes.
   */
  onLost(topics: readonly string[] | "all"): void;
  /** The adapter is connected, or is again. */
  onConnected(address: string): void;
  /** The adapter is not connected any more, or could not connect, and tries again. */
  onDisconnected(address: string, error: unknown): void;
  /** Something failed that ends nothing. */
  onError(error: unknown): void;
}

/** A link to the other nodes. Delivers at most once, in order for one sender, gaps included. */
export interface Adapter {
  /** Name of this node, unique in its cluster. */
  readonly nodeName: string;

  /**
   * Starts the link. What other nodes send goes to the handlers from then on.
   *
   * An adapter that cannot connect now, and may later, resolves all the same: the node is alone
   * meanwhile. It rejects where trying again would be in vain.
   */
  start(
    onBroadcast: RemoteBroadcastHandler,
    onGap: RemoteGapHandler,
    reports: AdapterReports,
  ): Promise<void>;

  /**
   * Sends to every other node, never to this one. `envelope` is valid only during the call.
   *
   * @throws where nothing can be sent: the link sends a gap once it can, and logs the error, but
   *   for SIM_ERR_NOT_SENT, which an adapter throws that has said `onDisconnected`, or is full
   */
  broadcast(topic: string, envelope: Uint8Array): void;

  /**
   * Sends to one node, whether anybody there subscribed to the topic or not: mail between members
   * goes this way too, under a name that is nobody's topic. Nothing happens where the node is
   * unknown. Throws as `broadcast`.
   */
  directBroadcast(node: string, topic: string, envelope: Uint8Array): void;

  /** Sends a gap to every other node, behind what was sent before. Throws as `broadcast`. */
  gap(gap: Uint8Array): void;

  /** Stops the link. No handler call follows the promise. */
  stop(): Promise<void>;
}

/** Which adapter a server uses: a module that the link thread imports, and its options. */
export interface AdapterSpec {
  /** URL of a module that exports `makeAdapter(options): Adapter`. */
  readonly module: string;
  /** Given to `makeAdapter`; must survive a structured clone. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What an adapter's module exports. */
export interface AdapterModule {
  makeAdapter(options: Readonly<Record<string, unknown>>): Adapter;
}
