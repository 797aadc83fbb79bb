/**
 * PORT: the link to other nodes.
 *
 * Each broadcast costs at most one message to each other node. What is lost on the way is reported:
 * a node whose link was overtaken sends a *gap* in place of what it lost, and the channels concerned
 * on other nodes are ended with phx_error, so that their clients rejoin. A gap is bytes that the
 * adapter carries and does not read (`gap.ts` draws them).
 *
 * Runs on: link.
 */

/** Takes a broadcast of another node. The callee may keep and change `envelope`. */
export type RemoteBroadcastHandler = (topic: string, envelope: Uint8Array) => void;

/**
 * Handles a loss of broadcasts of another node. `gap` is what that node sent; it is empty if the
 * adapter itself knows that it lost something, and not what: then all topics are told.
 */
export type RemoteGapHandler = (gap: Uint8Array) => void;

/** What an adapter reports to the link, in addition to what comes from other nodes. */
export interface AdapterReports {
  /**
   * Reports that broadcasts that were taken did not get to the other nodes, or may not have: their
   * topics, one for each broadcast; "all" if the topics are not known. The link tells the other
   * nodes.
   */
  onLost(topics: readonly string[] | "all"): void;
  /** Reports that the adapter is connected, or is again. */
  onConnected(address: string): void;
  /** Reports that the adapter is no longer connected, or could not connect, and tries again. */
  onDisconnected(address: string, error: unknown): void;
  /** Reports a failure that ends nothing. */
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
   * meanwhile. It rejects if trying again would be in vain.
   */
  start(
    onBroadcast: RemoteBroadcastHandler,
    onGap: RemoteGapHandler,
    reports: AdapterReports,
  ): Promise<void>;

  /**
   * Sends to every other node, never to this one. `envelope` is valid only during the call.
   *
   * @throws if nothing can be sent. The link sends a gap once it can, and logs the error, unless it
   *   is SIM_ERR_NOT_SENT: an adapter throws that after `onDisconnected`, or while it is full
   */
  broadcast(topic: string, envelope: Uint8Array): void;

  /**
   * Sends to one node, whether anybody there subscribed to the topic or not: mail between members
   * goes this way too, under a name that is nobody's topic. Nothing happens if the node is unknown.
   * Throws as `broadcast` does.
   */
  directBroadcast(node: string, topic: string, envelope: Uint8Array): void;

  /** Sends a gap to every other node, after what was sent before. Throws as `broadcast` does. */
  gap(gap: Uint8Array): void;

  /** Stops the link. No handler is called after the promise has resolved. */
  stop(): Promise<void>;
}

/** Which adapter a server uses: a module that the link thread imports, and its options. */
export interface AdapterSpec {
  /** URL of a module that exports `makeAdapter(options): Adapter`. */
  readonly module: string;
  /** Passed to `makeAdapter`; must survive a structured clone. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What an adapter's module exports. */
export interface AdapterModule {
  makeAdapter(options: Readonly<Record<string, unknown>>): Adapter;
}
