/**
 * PORT: the link to other nodes.
 *
 * For each broadcast at most one message goes to each other node.
 *
 * Runs on: link.
 */

/** Takes a broadcast of another node. `envelope` is the callee's to keep and to change. */
export type RemoteBroadcastHandler = (topic: string, envelope: Uint8Array) => void;

/** A link to the other nodes. Delivers at most once, in order for one sender. */
export interface Adapter {
  /** Name of this node, unique in its cluster. */
  readonly nodeName: string;

  /** Starts the link. Broadcasts of other nodes go to `handler` from then on. */
  start(handler: RemoteBroadcastHandler): Promise<void>;

  /**
   * Sends to every other node, never to this one. `envelope` is valid only during the call.
   *
   * @throws where nothing can be sent; the link logs it
   */
  broadcast(topic: string, envelope: Uint8Array): void;

  /** Sends to one node; nothing happens where it is unknown. */
  directBroadcast(node: string, topic: string, envelope: Uint8Array): void;

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
