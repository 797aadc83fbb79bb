/**
 * An adapter over a broker: all nodes of one cluster name that use one such server hear each other.
 *
 *   start ----connected, name is free----> connected <--connected, both sides told--+
 *     |                                        |                                    |
 *     +--server away--> alone <---- lost ------+--> … tries again, ever later ------+
 *     +--refused, name taken, no client package: start fails
 *
 * Two channels: one that every node hears, and one of each node alone, so direct broadcasts and
 * mail cross the wire once and reach nobody else. What a node sends to all comes back to it as well
 * (brokers leave nobody out), and is left alone there.
 *
 * One wire publishes everything, in the order of the calls: it is pipelined, so a second one would
 * carry no more, and would break the order of a sender. What one turn of the link sends goes out as
 * one parcel.
 *
 * **What is lost is told.** What the server has not taken when the wire is lost, and what cannot be
 * sent while there is none, goes to `onLost` or is thrown: the link tells the other nodes which
 * topics it concerns, once it can. And they may have sent what did not come here: after each loss,
 * before anything else is delivered, all topics of this node are told.
 *
 * **Signs of life** go to the node's own channel. One that does not come back in time means a wire
 * that is dead without a word. One of another boot means another node of the same name: a node that
 * starts asks first (hello), and fails where one that serves answers (here).
 *
 * Runs on: link.
 * Full: what waits for the server's answer is bounded by `queueBytes`; beyond, broadcasts throw, and
 *       are told as lost. A server that cuts the wire because this node reads too slowly (Redis:
 *       client-output-buffer-limit) is a wire that is lost.
 */

import { hostname } from "node:os";

import { makeError } from "../../errors.ts";
import type {
  Adapter,
  AdapterReports,
  RemoteBroadcastHandler,
  RemoteGapHandler,
} from "../adapter.ts";
import { Backoff } from "./backoff.ts";
import type { Broker, BrokerWire, WireEvents } from "./broker.ts";
import { bootOf, makeBoot, Parcel, readParcel, RECORD_KIND, type TakenParcel } from "./parcel.ts";

/** What an adapter over a broker is made of. */
export interface BrokerAdapterOptions {
  /** Nodes of one name hear each other. */
  readonly clusterName: string;
  /** Unique among them. */
  readonly nodeName: string;
  /** What may wait for the server's answer. */
  readonly queueBytes: number;
}

/** How patient an adapter is. Tests are less so. */
export interface BrokerPatience {
  /** From one sign of life to the next. */
  readonly signMs: number;
  /** How long a node of the same name may take to answer at the start. */
  readonly claimMs: number;
  /** Before the second try to connect, and at most. */
  readonly firstRetryMs: number;
  readonly mostRetryMs: number;
  /** How long `stop` waits until the server has taken what was sent. */
  readonly stopMs: number;
}

/** Signs of life that may be missing before the wire counts as dead. */
const MISSING_SIGNS = 3;
const PATIENCE: BrokerPatience = {
  signMs: 5_000,
  claimMs: 1_000,
  firstRetryMs: 100,
  mostRetryMs: 5_000,
  stopMs: 1_000,
};
const ALL_TOPICS = new Uint8Array(0);
// Made once: while the server is away one is thrown for each broadcast, and nobody reads it.
const NO_CONNECTION = notSent("no connection to the server");
const NO_ROOM = notSent("clusterQueueBytes of what waits for the server's answer");

function notSent(got: string): Error {
  return makeError("SIM_ERR_NOT_SENT", `an adapter must be able to send, got ${got}`);
}

/** What a start waits for: that nobody says that the name is taken. */
interface Claim {
  reject(error: Error): void;
}

interface Handlers extends AdapterReports {
  onBroadcast: RemoteBroadcastHandler;
  onGap: RemoteGapHandler;
}

/** An adapter whose nodes meet at a broker. */
export class BrokerAdapter implements Adapter {
  readonly nodeName: string;
  readonly #broker: Broker;
  readonly #queueBytes: number;
  readonly #patience: BrokerPatience;
  readonly #toAll: string;
  readonly #own: string;
  readonly #cluster: string;
  readonly #boot = makeBoot();
  readonly #self = Buffer.from(`${hostname()}, pid ${process.pid}`);
  readonly #parcel: Parcel;
  readonly #backoff: Backoff;
  /** Those of the same name that were spoken of. */
  readonly #namesakes = new Set<string>();
  #parcelChannel = "";
  #handlers: Handlers | undefined = undefined;
  #stopped = new AbortController();
  #wire: BrokerWire | undefined = undefined;
  #claim: Claim | undefined = undefined;
  /** Whether broadcasts of other nodes may have been missed, and nobody here has been told. */
  #hasMissed = false;
  /** Bytes and messages that the server has not answered. */
  #waitingBytes = 0;
  #waiting = 0;
  #onAnswered: (() => void) | undefined = undefined;
  #missingSigns = 0;
  #signs: NodeJS.Timeout | undefined = undefined;
  #retry: NodeJS.Timeout | undefined = undefined;
  /** What was said of the server last: the same is not said twice. */
  #lastSaid = "";

  constructor(broker: Broker, options: BrokerAdapterOptions, patience?: Partial<BrokerPatience>) {
    const { clusterName, nodeName, queueBytes } = options;
    this.nodeName = nodeName;
    this.#broker = broker;
    this.#queueBytes = queueBytes;
    this.#patience = { ...PATIENCE, ...patience };
    // Escaped, so that no cluster's and node's names together are those of others.
    this.#cluster = encodeURIComponent(clusterName);
    this.#toAll = `simurgh:all:${this.#cluster}`;
    this.#own = this.#channelOf(nodeName);
    this.#parcel = new Parcel(this.#boot);
    this.#backoff = new Backoff(this.#patience.firstRetryMs, this.#patience.mostRetryMs);
  }

  /**
   * Connects. Where the server is away, the node is alone until it is there, and that is reported.
   *
   * @throws SIM_ERR_BROKER_REFUSED, SIM_ERR_CLIENT_PACKAGE, SIM_ERR_NODE_NAME
   */
  async start(
    onBroadcast: RemoteBroadcastHandler,
    onGap: RemoteGapHandler,
    reports?: AdapterReports,
  ): Promise<void> {
    const handlers = { ...(reports ?? NO_REPORTS), onBroadcast, onGap };
    this.#handlers = handlers;
    this.#stopped = new AbortController();
    try {
      const wire = await this.#connect(handlers);
      if (wire) await this.#claimName(wire);
    } catch (error) {
      if (isFinal(error)) {
        await this.stop();
        throw error;
      }
      if (this.#handlers === handlers) this.#alone(handlers, error);
    }
  }

  broadcast(topic: string, envelope: Uint8Array): void {
    this.#send(this.#toAll, RECORD_KIND.broadcast, topic, envelope);
  }

  directBroadcast(node: string, topic: string, envelope: Uint8Array): void {
    this.#send(this.#channelOf(node), RECORD_KIND.broadcast, topic, envelope);
  }

  gap(gap: Uint8Array): void {
    this.#send(this.#toAll, RECORD_KIND.gap, "", gap);
  }

  async stop(): Promise<void> {
    clearInterval(this.#signs);
    clearTimeout(this.#retry);
    this.#flush();
    this.#handlers = undefined;
    this.#stopped.abort();
    if (this.#wire && this.#waiting > 0) await this.#answered();
    this.#wire?.close();
    this.#wire = undefined;
  }

  // -- the wire ---------------------------------------------------------------------------------

  async #connect(handlers: Handlers): Promise<BrokerWire | undefined> {
    const events: WireEvents = {
      onMessage: (channel, bytes) => this.#receive(handlers, channel, bytes),
      onLost: (error) => {
        if (this.#handlers === handlers) this.#lost(handlers, error);
      },
    };
    const channels = [this.#toAll, this.#own];
    const wire = await this.#broker.connect(channels, events, this.#stopped.signal);
    if (this.#handlers !== handlers) {
      wire.close();
      return undefined;
    }
    this.#wire = wire;
    this.#missingSigns = 0;
    this.#signs = setInterval(() => this.#sign(handlers), this.#patience.signMs);
    this.#lastSaid = "";
    this.#backoff.reset();
    this.#tellMissed(handlers);
    handlers.onConnected(this.#broker.address);
    return wire;
  }

  /** Says that this node has come, and waits where somebody else seems to have its name. */
  async #claimName(wire: BrokerWire): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const outcome = new Promise<void>((resolve, reject) => {
      timer = setTimeout(resolve, this.#patience.claimMs);
      this.#claim = { reject };
    });
    // It may be rejected before anybody waits for it.
    outcome.catch(() => {});
    try {
      const hearers = await this.#hello(wire);
      // One is this node itself. A wire that is dead, and its server does not know, hears as well.
      if (hearers > 1) await outcome;
    } finally {
      clearTimeout(timer);
      this.#claim = undefined;
    }
  }

  async #hello(wire: BrokerWire): Promise<number> {
    const parcel = new Parcel(this.#boot);
    parcel.add(RECORD_KIND.hello, "", this.#self);
    return wire.publish(this.#own, parcel.take().bytes);
  }

  #lost(handlers: Handlers, error: Error): void {
    this.#wire = undefined;
    clearInterval(this.#signs);
    this.#dropParcel(handlers);
    this.#alone(handlers, error);
  }

  #alone(handlers: Handlers, error: unknown): void {
    this.#hasMissed = true;
    const said = String(error);
    if (said !== this.#lastSaid) handlers.onDisconnected(this.#broker.address, error);
    this.#lastSaid = said;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#reconnect(handlers), this.#backoff.nextMs());
  }

  async #reconnect(handlers: Handlers): Promise<void> {
    try {
      const wire = await this.#connect(handlers);
      // Whoever has the name meanwhile says so, and that is reported: both serve. That the wire is
      // lost again is told by the wire.
      if (wire) this.#hello(wire).catch(() => {});
    } catch (error) {
      if (this.#handlers === handlers) this.#alone(handlers, error);
    }
  }

  /** Before anything else is delivered: what did not come while there was no wire. */
  #tellMissed({ onGap }: Handlers): void {
    if (!this.#hasMissed) return;
    this.#hasMissed = false;
    onGap(ALL_TOPICS);
  }

  // -- what goes out ----------------------------------------------------------------------------

  #channelOf(node: string): string {
    return `simurgh:node:${this.#cluster}:${encodeURIComponent(node)}`;
  }

  #send(channel: string, kind: number, topic: string, body: Uint8Array): void {
    if (!this.#wire) throw NO_CONNECTION;
    if (channel !== this.#parcelChannel || this.#parcel.isFull) this.#flush();
    const queuedBytes = this.#waitingBytes + this.#parcel.lengthWith(topic, body);
    const isOnly = this.#waiting === 0 && this.#parcel.isEmpty;
    if (queuedBytes > this.#queueBytes && !isOnly) throw NO_ROOM;
    // After the turn: what else it sends goes along.
    if (this.#parcel.isEmpty) queueMicrotask(() => this.#flush());
    this.#parcelChannel = channel;
    this.#parcel.add(kind, topic, body);
  }

  #flush(): void {
    const [wire, handlers] = [this.#wire, this.#handlers];
    // Without a wire there is no parcel: what was in it was lost with the wire.
    if (this.#parcel.isEmpty || !wire || !handlers) return;
    void this.#publish(handlers, wire, this.#parcel.take());
  }

  async #publish(handlers: Handlers, wire: BrokerWire, parcel: TakenParcel): Promise<void> {
    const { length } = parcel.bytes;
    this.#waitingBytes += length;
    this.#waiting += 1;
    let failure: { readonly error: unknown } | undefined;
    try {
      await wire.publish(this.#parcelChannel, parcel.bytes);
      this.#missingSigns = 0;
    } catch (error) {
      failure = { error };
    }
    this.#waitingBytes -= length;
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#onAnswered?.();
    if (!failure) return;
    tellLost(handlers, parcel);
    this.#failed(handlers, wire, failure.error);
  }

  /** The server refused a message. That a wire was lost is told by the wire. */
  #failed(handlers: Handlers, wire: BrokerWire, error: unknown): void {
    const said = String(error);
    if (this.#wire !== wire || said === this.#lastSaid) return;
    this.#lastSaid = said;
    handlers.onError(error);
  }

  #dropParcel(handlers: Handlers): void {
    if (!this.#parcel.isEmpty) tellLost(handlers, this.#parcel.take());
  }

  async #answered(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#patience.stopMs);
      this.#onAnswered = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  // -- what comes in ----------------------------------------------------------------------------

  #receive(handlers: Handlers, channel: string, bytes: Buffer): void {
    if (this.#handlers !== handlers) return;
    this.#missingSigns = 0;
    const boot = bootOf(bytes);
    if (!boot) {
      this.#say(handlers, `a message on ${channel} must be of a node of this version, got another`);
      return;
    }
    const isOwn = this.#boot.equals(boot);
    if (isOwn && channel === this.#toAll) return;
    this.#tellMissed(handlers);
    try {
      const isWhole = readParcel(bytes, (kind, topic, body) => {
        if (kind === RECORD_KIND.broadcast) handlers.onBroadcast(topic, body);
        else if (kind === RECORD_KIND.gap) handlers.onGap(body);
        else if (!isOwn) this.#namesake(handlers, kind, boot, body.toString());
      });
      if (!isWhole) this.#say(handlers, `a message on ${channel} must be whole, got a part of one`);
    } catch (error) {
      // It must not reach the client library: that would take it for a fault of the wire's.
      handlers.onError(error);
    }
  }

  #say(handlers: Handlers, message: string): void {
    if (message === this.#lastSaid) return;
    this.#lastSaid = message;
    handlers.onError(new TypeError(message));
  }

  // -- signs of life ----------------------------------------------------------------------------

  #sign(handlers: Handlers): void {
    if (this.#missingSigns >= MISSING_SIGNS) {
      const silentMs = this.#missingSigns * this.#patience.signMs;
      this.#wire?.close();
      this.#lost(handlers, new Error(`nothing was heard for ${silentMs} ms`));
      return;
    }
    this.#missingSigns += 1;
    this.#here();
  }

  #here(): void {
    try {
      this.#send(this.#own, RECORD_KIND.here, "", this.#self);
    } catch {
      // The next one will do.
    }
  }

  /** Another node has this node's name. */
  #namesake(handlers: Handlers, kind: number, boot: Buffer, who: string): void {
    const message = `nodeName must be unique in its cluster, got ${this.nodeName}, which is that of ${who} as well`;
    const error = makeError("SIM_ERR_NODE_NAME", message);
    const isStarting = kind === RECORD_KIND.hello;
    // Of two that start at once one must give way, and it must be the same for both.
    if (this.#claim && (!isStarting || Buffer.compare(boot, this.#boot) < 0)) {
      this.#claim.reject(error);
      return;
    }
    if (isStarting) {
      this.#here();
      return;
    }
    const id = boot.toString("hex");
    if (this.#namesakes.has(id)) return;
    this.#namesakes.add(id);
    handlers.onError(error);
  }
}

const NO_REPORTS: AdapterReports = {
  onLost() {},
  onConnected() {},
  onDisconnected() {},
  onError() {},
};

function tellLost(handlers: Handlers, { topics, hasGap }: TakenParcel): void {
  if (topics.length > 0) handlers.onLost(topics);
  // A gap has slots that nobody here can read.
  if (hasGap) handlers.onLost("all");
}

function isFinal(error: unknown): boolean {
  const codes = ["SIM_ERR_BROKER_REFUSED", "SIM_ERR_CLIENT_PACKAGE", "SIM_ERR_NODE_NAME"];
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
