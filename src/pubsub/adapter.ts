/**
 * PORT: the link to other nodes.
 *
 * Each broadcast costs at most one message to each other node. Losses are reported: a node whose
 * link was overtaken sends a *gap* in place of the lost broadcasts, and the affected channels on
 * other nodes end with phx_error, so that their clients rejoin. To the adapter a gap is just bytes
 * (see `gap.ts` for the format).
 *
 * Runs on: link.
 */

/** Handles a broadcast from another node. The callee may keep and modify `envelope`. */
export type RemoteBroadcastHandler = (topic: string, envelope: Uint8Array) => void;

/**
 * Handles a loss of broadcasts from another node. `gap` contains the bytes sent by that node. It is
 * empty if the adapter knows only that something was lost; then all topics are notified, and connections with an ID are
 * closed at the pace of a drain. It can also be TOPICS_GAP or IDS_GAP (see `gap.ts`).
 */
export type RemoteGapHandler = (gap: Uint8Array) => void;

/** Reports from an adapter to the link. */
export interface AdapterReports {
  /**
   * Reports that accepted broadcasts did not reach the other nodes, or may not have. `topics` has one
   * entry for each broadcast; it is "all" if the topics are not known. The link tells the other nodes.
   */
  onLost(topics: readonly string[] | "all"): void;
  /** Reports that the adapter is connected, or connected again. */
  onConnected(address: string): void;
  /** Reports that the adapter is disconnected, or could not connect, and will try again. */
  onDisconnected(address: string, error: unknown): void;
  /** Reports any other failure. The link continues. */
  onError(error: unknown): void;
}

/** A link to the other nodes. Delivers at most once, in order for one sender, gaps included. */
export interface Adapter {
  /** Name of this node, unique in its cluster. */
  readonly nodeName: string;

  /**
   * Starts the link. From then on the handlers receive everything that other nodes send.
   *
   * If the adapter cannot connect now but may connect later, the promise still resolves, and the
   * node is isolated until then. It rejects if retrying would be pointless.
   */
  start(
    onBroadcast: RemoteBroadcastHandler,
    onGap: RemoteGapHandler,
    reports: AdapterReports,
  ): Promise<void>;

  /**
   * Sends to every other node, never to this one. `envelope` is valid only during the call.
   *
   * @param isDisconnect - true if it disconnects the sockets of an ID. An adapter that can lose its connection should
   *   deliver these later to nodes that may have missed them (see `gap.ts`), or else report an empty gap there
   * @throws if nothing can be sent. The link sends a gap as soon as it can. It logs the error,
   *   unless the error is SIM_ERR_NOT_SENT, which an adapter throws after `onDisconnected` or while
   *   it is full
   */
  broadcast(topic: string, envelope: Uint8Array, isDisconnect?: boolean): void;

  /**
   * Sends to one node, even if it has no subscriber to the topic: mail between members is also sent
   * this way, under a name that is not a topic. Does nothing if the node is unknown. Throws like
   * `broadcast`.
   */
  directBroadcast(node: string, topic: string, envelope: Uint8Array): void;

  /** Sends a gap to every other node, after everything sent earlier. Throws like `broadcast`. */
  gap(gap: Uint8Array): void;

  /** Stops the link. No handler is called after the promise has resolved. */
  stop(): Promise<void>;
}

/** Adapter used by a server: a module that the link thread imports, and its options. */
export interface AdapterSpec {
  /** URL of a module that exports `makeAdapter(options): Adapter`. */
  readonly module: string;
  /** Passed to `makeAdapter`; must survive a structured clone. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Exports of an adapter's module. */
export interface AdapterModule {
  makeAdapter(options: Readonly<Record<string, unknown>>): Adapter;
}
