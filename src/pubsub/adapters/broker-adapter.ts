/**
 * An adapter over a broker: it links all nodes that have the same cluster name and use the same server.
 *
 *   start ----connected, name is free----> connected <--connected, both sides told--+
 *     |                                        |                                    |
 *     +--server down--> alone <---- lost ------+--> … retries, with longer delays --+
 *     +--refused, name taken, no client package: start fails
 *
 * Each node subscribes to two channels: one for all nodes, and one of its own, through which direct
 * broadcasts and mail reach only that node. What a node sends to all nodes comes back to it as well
 * (brokers leave nobody out), and is ignored.
 *
 * One connection publishes everything, in the order of the calls. It is pipelined, so a second
 * connection would not increase throughput, and would break the order for a sender. Everything that
 * the link sends in one turn is published as one parcel (`outbox`).
 *
 * **Losses are reported.** If the connection is lost, everything that the server has not
 * acknowledged is passed to `onLost`; while there is no connection, sending throws. The link
 * notifies the other nodes of the affected topics as soon as it can. Messages from other nodes may
 * also have been missed here. Therefore, after each loss, all topics of this node are notified
 * before anything else is delivered. Missed disconnects are asked for (`recall`).
 *
 * **Keepalives** are sent to the node's own channel. If none comes back in time, the connection is
 * considered dead. A keepalive with a different boot ID comes from another node with the same
 * name. To prevent this, a node that starts first sends hello, and fails if a running node replies
 * with here.
 *
 * Runs on: link.
 * Full: what waits for the server's answer is bounded by `clusterQueueBytes`. Beyond it broadcasts
 *       throw, and are reported as lost. If the server cuts the connection because this node reads
 *       too slowly (Redis: client-output-buffer-limit), the connection is lost.
 */

import { hostname } from "node:os";

import { makeError } from "../../errors.ts";
import type { ResolvedOptions } from "../../options/options.ts";
import type {
  Adapter,
  AdapterReports,
  RemoteBroadcastHandler,
  RemoteGapHandler,
} from "../adapter.ts";
import { IDS_GAP, TOPICS_GAP } from "../gap.ts";
import { Backoff } from "../../backoff.ts";
import type { Broker, BrokerConnection, BrokerListener } from "./broker.ts";
import { Outbox } from "./outbox.ts";
import { bootOf, makeBoot, Parcel, readParcel, RECORD_KIND, type TakenParcel } from "./parcel.ts";
import { Recall, type RecallPost } from "./recall.ts";
import { errorText, messageOf } from "../../error-report.ts";

/** Node options that concern its cluster. */
export type ClusterOptions = Pick<
  ResolvedOptions,
  "clusterUrl" | "clusterName" | "clusterQueueBytes" | "nodeName"
>;

/** Time limits of an adapter. Tests use shorter limits. */
export interface BrokerPatience {
  /** Time limit for the server to accept a connection and its subscriptions. */
  readonly answerMs: number;
  /** Interval of keepalives. */
  readonly keepaliveMs: number;
  /** Time limit for a node with the same name to reply when this node starts. */
  readonly claimMs: number;
  /** Delay before the second attempt to connect, and the longest delay. */
  readonly firstRetryMs: number;
  readonly mostRetryMs: number;
  /** Time limit for the server to accept all remaining messages during `stop`. */
  readonly stopMs: number;
  /** Time limit for other nodes to say what this one has missed; more than `mostRetryMs`, since they reconnect too. */
  readonly recallMs: number;
}

/** Number of missed keepalives after which the connection counts as dead. */
const MOST_MISSED = 3;
const PATIENCE: BrokerPatience = {
  answerMs: 10_000,
  keepaliveMs: 5_000,
  claimMs: 1_000,
  firstRetryMs: 100,
  mostRetryMs: 5_000,
  stopMs: 1_000,
  recallMs: 15_000,
};
const NO_BODY = new Uint8Array(0);

/** A starting node's wait for another node to report that the name is taken. */
interface Claim {
  reject(error: Error): void;
}

interface Handlers extends AdapterReports {
  onBroadcast: RemoteBroadcastHandler;
  onGap: RemoteGapHandler;
}

/** An adapter over any broker. */
export class BrokerAdapter implements Adapter {
  readonly nodeName: string;
  readonly #broker: Broker;
  readonly #patience: BrokerPatience;
  readonly #toAll: string;
  readonly #own: string;
  readonly #cluster: string;
  readonly #boot = makeBoot();
  readonly #self = Buffer.from(`${hostname()}, pid ${process.pid}`);
  readonly #outbox: Outbox;
  readonly #backoff: Backoff;
  /** Boots of other nodes with the same name that have been reported. */
  readonly #namesakes = new Set<string>();
  #handlers: Handlers | undefined = undefined;
  /** Aborts the current attempt to connect. */
  #connecting = new AbortController();
  #connection: BrokerConnection | undefined = undefined;
  #claim: Claim | undefined = undefined;
  /**
   * True if broadcasts from other nodes may have been missed, and this node has not been notified.
   */
  #hasMissed = false;
  readonly #recall: Recall;
  /** When something was last received (ms, as `performance.now`). */
  #heardAtMs = performance.now();
  #missedKeepalives = 0;
  #keepalives: NodeJS.Timeout | undefined = undefined;
  #retry: NodeJS.Timeout | undefined = undefined;
  /** The most recent report. The same report is not repeated. */
  #lastReport = "";

  /** @param patience - shorter time limits, for tests */
  constructor(broker: Broker, options: ClusterOptions, patience?: Partial<BrokerPatience>) {
    const { clusterName, nodeName, clusterQueueBytes } = options;
    this.nodeName = nodeName;
    this.#broker = broker;
    this.#patience = { ...PATIENCE, ...patience };
    // Escaped, so that different pairs of cluster and node never share a channel.
    this.#cluster = encodeURIComponent(clusterName);
    this.#toAll = `simurgh:all:${this.#cluster}`;
    this.#own = this.#channelOf(nodeName);
    this.#outbox = new Outbox(this.#boot, clusterQueueBytes);
    this.#recall = new Recall(this.#makePost(), this.#patience.recallMs);
    this.#backoff = new Backoff(this.#patience.firstRetryMs, this.#patience.mostRetryMs);
  }

  /**
   * Connects. If the server is down, this is reported, and the node is isolated until it is up.
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
    try {
      const connection = await this.#connect(handlers);
      if (connection) await this.#claimName(connection);
      if (connection && connection === this.#connection) this.#recall.connected();
    } catch (error) {
      if (isFinal(error)) {
        await this.stop();
        throw error;
      }
      if (this.#handlers === handlers) this.#alone(handlers, error);
    }
  }

  broadcast(topic: string, envelope: Uint8Array, isDisconnect = false): void {
    const kind = RECORD_KIND.broadcast;
    this.#outbox.send(this.#toAll, kind, topic, envelope);
    // If it cannot be sent, a gap will stand for it.
    if (isDisconnect) this.#recall.keep({ kind, topic, body: envelope });
  }

  directBroadcast(node: string, topic: string, envelope: Uint8Array): void {
    this.#outbox.send(this.#channelOf(node), RECORD_KIND.broadcast, topic, envelope);
  }

  gap(gap: Uint8Array): void {
    const record = { kind: RECORD_KIND.gap, topic: "", body: gap };
    this.#outbox.send(this.#toAll, record.kind, record.topic, record.body);
    this.#recall.keep(record);
  }

  async stop(): Promise<void> {
    clearInterval(this.#keepalives);
    clearTimeout(this.#retry);
    this.#recall.stop();
    this.#outbox.trySend(this.#toAll, RECORD_KIND.bye, "", NO_BODY);
    this.#outbox.flush();
    this.#handlers = undefined;
    this.#connecting.abort();
    if (this.#connection) await this.#outbox.answered(this.#patience.stopMs);
    this.#connection?.close();
    this.#connection = undefined;
    this.#outbox.closed();
  }

  // -- the connection ----------------------------------------------------------------------------

  async #connect(handlers: Handlers): Promise<BrokerConnection | undefined> {
    const connection = await this.#connectInTime({
      onMessage: (channel, bytes) => this.#receive(handlers, channel, bytes),
      onLost: (error) => {
        if (this.#handlers === handlers) this.#lost(handlers, error);
      },
    });
    if (this.#handlers !== handlers) {
      connection.close();
      return undefined;
    }
    this.#connection = connection;
    this.#outbox.opened(connection, {
      accepted: () => (this.#missedKeepalives = 0),
      lost: (parcel) => tellLost(handlers, parcel),
      refused: (error) => this.#refused(handlers, error),
    });
    this.#missedKeepalives = 0;
    this.#keepalives = setInterval(() => this.#keepalive(handlers), this.#patience.keepaliveMs);
    this.#lastReport = "";
    this.#backoff.reset();
    this.#tellMissed(handlers);
    handlers.onConnected(this.#broker.address);
    return connection;
  }

  async #connectInTime(listener: BrokerListener): Promise<BrokerConnection> {
    const { answerMs } = this.#patience;
    const connecting = new AbortController();
    this.#connecting = connecting;
    // The timer keeps the thread alive, since a pending connection must not.
    const timer = setTimeout(() => connecting.abort(), answerMs);
    try {
      return await this.#broker.connect([this.#toAll, this.#own], listener, connecting.signal);
    } catch (error) {
      if (!connecting.signal.aborted) throw error;
      throw new Error(`no answer within ${answerMs} ms`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Announces this node, and waits if another node seems to have its name. */
  async #claimName(connection: BrokerConnection): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const outcome = new Promise<void>((resolve, reject) => {
      timer = setTimeout(resolve, this.#patience.claimMs);
      this.#claim = { reject };
    });
    // The promise may be rejected before anything awaits it.
    outcome.catch(() => {});
    try {
      const hearers = await this.#hello(connection);
      // One is this node itself. Another may be a dead connection that the server has not noticed.
      if (hearers > 1) await outcome;
    } finally {
      clearTimeout(timer);
      this.#claim = undefined;
    }
  }

  async #hello(connection: BrokerConnection): Promise<number> {
    const parcel = new Parcel(this.#boot);
    parcel.add(RECORD_KIND.hello, "", this.#self);
    return connection.publish(this.#own, parcel.take().bytes);
  }

  #lost(handlers: Handlers, error: Error): void {
    this.#connection = undefined;
    clearInterval(this.#keepalives);
    this.#outbox.closed();
    this.#alone(handlers, error);
  }

  #alone(handlers: Handlers, error: unknown): void {
    this.#hasMissed = true;
    this.#recall.lost(this.#heardAtMs);
    const report = errorText(error);
    if (report !== this.#lastReport) handlers.onDisconnected(this.#broker.address, error);
    this.#lastReport = report;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#reconnect(handlers), this.#backoff.nextMs());
  }

  async #reconnect(handlers: Handlers): Promise<void> {
    try {
      const connection = await this.#connect(handlers);
      // If another node has taken the name in the meantime, it replies, and the conflict is
      // reported; both nodes continue to serve. A failure needs no handling: if the connection is
      // lost again, `onLost` is called.
      if (!connection) return;
      this.#recall.connected();
      this.#hello(connection).catch(() => {});
    } catch (error) {
      if (this.#handlers === handlers) this.#alone(handlers, error);
    }
  }

  /** Reports that messages may have been missed, before anything else is delivered. */
  #tellMissed({ onGap }: Handlers): void {
    if (!this.#hasMissed) return;
    this.#hasMissed = false;
    onGap(TOPICS_GAP);
  }

  #channelOf(node: string): string {
    return `simurgh:node:${this.#cluster}:${encodeURIComponent(node)}`;
  }

  #refused(handlers: Handlers, error: unknown): void {
    const report = errorText(error);
    if (report === this.#lastReport) return;
    this.#lastReport = report;
    handlers.onError(error);
  }

  // -- receiving -------------------------------------------------------------------------------

  #receive(handlers: Handlers, channel: string, bytes: Buffer): void {
    if (this.#handlers !== handlers) return;
    this.#missedKeepalives = 0;
    this.#heardAtMs = performance.now();
    const boot = bootOf(bytes);
    if (!boot) {
      const message = `a message on ${channel} must come from a node of this version, got another`;
      this.#report(handlers, message);
      return;
    }
    const isOwn = this.#boot.equals(boot);
    if (isOwn && channel === this.#toAll) return;
    this.#tellMissed(handlers);
    if (channel === this.#toAll) this.#recall.heard(nameOf(boot));
    try {
      const isWhole = readParcel(bytes, (kind, topic, body) => {
        if (kind === RECORD_KIND.broadcast) handlers.onBroadcast(topic, body);
        else if (kind === RECORD_KIND.gap) handlers.onGap(body);
        else if (!isOwn) this.#receiveControl(handlers, { kind, boot, topic, body });
      });
      if (!isWhole) {
        this.#report(handlers, `a message on ${channel} must be complete, got a part of one`);
      }
    } catch (error) {
      // The error must not reach the client library, which would treat it as a connection error.
      handlers.onError(error);
    }
  }

  #receiveControl(handlers: Handlers, { kind, boot, topic, body }: Control): void {
    if (kind === RECORD_KIND.ask) this.#recall.asked(nameOf(boot), topic, body.readUInt32LE());
    else if (kind === RECORD_KIND.answer) this.#recall.answered(nameOf(boot), body[0] === 1);
    else if (kind === RECORD_KIND.bye) this.#recall.left(nameOf(boot));
    else this.#namesake(handlers, kind, boot, body.toString());
  }

  #makePost(): RecallPost {
    return {
      ask: (node, ms) => {
        const body = Buffer.alloc(4);
        body.writeUInt32LE(Math.min(Math.ceil(ms), MAX_UINT32));
        const channel = node === undefined ? this.#toAll : this.#channelOf(node);
        this.#outbox.trySend(channel, RECORD_KIND.ask, this.nodeName, body);
      },
      trySend: (node, { kind, topic, body }) =>
        this.#outbox.trySend(this.#channelOf(node), kind, topic, body),
      answer: (node, isComplete) => {
        const body = Uint8Array.of(isComplete ? 1 : 0);
        this.#outbox.trySend(this.#channelOf(node), RECORD_KIND.answer, "", body);
      },
      unsure: () => this.#handlers?.onGap(IDS_GAP),
    };
  }

  #report(handlers: Handlers, message: string): void {
    if (message === this.#lastReport) return;
    this.#lastReport = message;
    handlers.onError(new TypeError(message));
  }

  // -- keepalives -------------------------------------------------------------------------------

  #keepalive(handlers: Handlers): void {
    if (this.#missedKeepalives >= MOST_MISSED) {
      const silentMs = this.#missedKeepalives * this.#patience.keepaliveMs;
      this.#connection?.close();
      this.#lost(handlers, new Error(`nothing was received for ${silentMs} ms`));
      return;
    }
    this.#missedKeepalives += 1;
    this.#here();
  }

  #here(): void {
    // If it cannot be sent, the next keepalive will be sent soon.
    this.#outbox.trySend(this.#own, RECORD_KIND.here, "", this.#self);
  }

  /** Handles a keepalive from another node with this node's name. */
  #namesake(handlers: Handlers, kind: number, boot: Buffer, who: string): void {
    const message = `nodeName must be unique in its cluster, got ${this.nodeName}, which ${who} has as well`;
    const error = makeError("SIM_ERR_NODE_NAME", message);
    const isStarting = kind === RECORD_KIND.hello;
    // If two nodes start at the same time, one must yield, and both must agree on which.
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

/** A record that is neither a broadcast nor a gap. */
interface Control {
  readonly kind: number;
  readonly boot: Buffer;
  readonly topic: string;
  readonly body: Buffer;
}

const MAX_UINT32 = 0xffff_ffff;

/** Returns the name by which a boot is known. */
function nameOf(boot: Buffer): string {
  return boot.toString("latin1");
}

const NO_REPORTS: AdapterReports = {
  onLost() {},
  onConnected() {},
  onDisconnected() {},
  onError() {},
};

function tellLost(handlers: Handlers, { topics, hasGap }: TakenParcel): void {
  if (topics.length > 0) handlers.onLost(topics);
  // The slots of a gap cannot be turned back into topics.
  if (hasGap) handlers.onLost("all");
}

function isFinal(error: unknown): boolean {
  const codes = ["SIM_ERR_BROKER_REFUSED", "SIM_ERR_CLIENT_PACKAGE", "SIM_ERR_NODE_NAME"];
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

/** Creates the error for a server that refuses this node. */
export function brokerRefused({ address }: Broker, cause: Error): Error {
  const message = `${address} must let this node in, subscribe and publish, got ${messageOf(cause)}`;
  return makeError("SIM_ERR_BROKER_REFUSED", message, { cause });
}
