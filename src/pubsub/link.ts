/**
 * Carries broadcasts between this node and the others: one more producer, one more consumer.
 *
 * What the members of this node broadcast comes here as records, and goes to the adapter with the
 * topic in front; what the adapter brings goes to the members that the index names. Nothing but
 * the topic is decoded. Mail goes to the one node and the one member that it names.
 *
 * Runs on: link.
 * Full: as for any member: a broadcast of another node that finds no room waits, then laps.
 *       What is lost on its way to other nodes is told them by a gap, before the next broadcast:
 *       what members lost on the way here, what the adapter could not send, and what it says was
 *       lost after it took it. What comes from
 *       another node and is larger than the overflow bound of this one is told here by a gap.
 *       A link that replaces one that ended tells all topics, on both sides.
 *       Mail that finds no room, or no adapter that takes it, is lost: who waits for an answer to
 *       it has a time limit.
 */

import { hasCode } from "../errors.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { topicHash } from "../memory/topic-hash.ts";
import type { Adapter } from "./adapter.ts";
import { Envelope, KIND, rehash } from "./envelope.ts";
import { kindAndFlags, kindOf } from "./exchange-layout.ts";
import { CONTROL_SLOT, type Exchange, type LappedNotice } from "./exchange.ts";
import { GAP_SLOT, packGap } from "./gap.ts";
import { LappedSlots } from "./lapped-slots.ts";
import { isMail, unpackMail } from "./node-mail.ts";
import type { SubscriptionIndex } from "./subscription-index.ts";

/** What a link is made of. */
export interface LinkParts {
  readonly adapter: Adapter;
  readonly exchange: Exchange;
  readonly index: SubscriptionIndex;
  readonly hashSeed: number;
  /** Is told what could not be sent or delivered. */
  readonly onError: (error: unknown) => void;
  /** Is told that records of this node's members were lost on the way here. */
  readonly onLapped: (from: number, slots: LappedNotice) => void;
  /** Is told that broadcasts of another node were lost. */
  readonly onGap: () => void;
  readonly counters: Counters;
  /** Is told that the adapter is connected, or is not and tries again. */
  readonly onConnected?: (address: string) => void;
  readonly onDisconnected?: (address: string, error: unknown) => void;
}

const NO_MEMBER = -1;
/** What stands in a topic's place where mail is sent. */
const MAIL = "mail";
/** How soon a gap that could not be sent is tried again, where nothing else is sent meanwhile. */
const RETRY_MS = 1_000;
const ALL_TOPICS = new Uint8Array(0);
const NO_SLOTS = new Int32Array(0);

/** The link of a node. */
export class Link {
  readonly #parts: LinkParts;
  readonly #envelope = new Envelope();
  /** What other nodes did not get and have not been told. */
  readonly #lost = new LappedSlots();
  #retry: NodeJS.Timeout | undefined = undefined;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /**
   * Connects, and carries from then on.
   *
   * @param isReplacement - whether another thread was the link before: what was broadcast between
   *   the two crossed in neither direction, of topics that nobody knows, so both sides are told
   */
  async start(isReplacement = false): Promise<void> {
    const { adapter, exchange, onError, onGap } = this.#parts;
    await adapter.start(
      (topic, envelope) => this.#deliver(topic, envelope),
      (gap) => {
        onGap();
        this.#deliverGap(gap);
      },
      {
        onLost: (topics) => this.#lostByAdapter(topics),
        onConnected: (address) => this.#connected(address),
        onDisconnected: (address, error) => this.#disconnected(address, error),
        onError,
      },
    );
    if (isReplacement) {
      this.#tellOthers("all");
      this.#deliverGap(ALL_TOPICS);
    }
    exchange.start({
      onRecord: (_from, type, bytes, offset, length) => this.#send(type, bytes, offset, length),
      onLapped: (from, slots) => this.lapped(from, slots),
      onError,
    });
  }

  /** Tells the other nodes that a member's records were lost on their way here. */
  lapped(from: number, slots: LappedNotice): void {
    this.#parts.onLapped(from, slots);
    this.#tellOthers(slots);
  }

  /** Sends what is left, and disconnects. */
  async stop(): Promise<void> {
    this.#parts.exchange.drainNow();
    this.#parts.exchange.stop();
    clearTimeout(this.#retry);
    await this.#parts.adapter.stop();
  }

  #tellOthers(slots: LappedNotice): void {
    this.#lost.addAll(slots);
    try {
      this.#sendGap();
    } catch (error) {
      this.#retryLater();
      this.#report(error);
    }
  }

  #lostByAdapter(topics: readonly string[] | "all"): void {
    const { counters, index, hashSeed } = this.#parts;
    if (topics === "all") {
      this.#tellOthers(topics);
      return;
    }
    counters.add(COUNTER.lostToNodes, topics.length);
    this.#tellOthers(Int32Array.from(topics, (topic) => index.slotOf(topicHash(hashSeed, topic))));
  }

  #connected(address: string): void {
    const { counters, onConnected } = this.#parts;
    counters.set(COUNTER.linkDown, 0);
    onConnected?.(address);
    if (!this.#lost.isEmpty) this.#tellOthers(NO_SLOTS);
  }

  #disconnected(address: string, error: unknown): void {
    const { counters, onDisconnected } = this.#parts;
    counters.set(COUNTER.linkDown, 1);
    onDisconnected?.(address, error);
  }

  /** Reports an error, but for what the adapter has told by its state: there may be many. */
  #report(error: unknown): void {
    if (!hasCode(error, "SIM_ERR_NOT_SENT")) this.#parts.onError(error);
  }

  #send(type: number, bytes: Uint8Array, offset: number, length: number): void {
    const { adapter, index, counters } = this.#parts;
    if (kindOf(type) === KIND.mail) {
      this.#sendMail(bytes.subarray(offset, offset + length));
      return;
    }
    const envelope = this.#envelope.read(bytes, offset, length);
    const topic = envelope.topic();
    try {
      this.#sendGap();
      if (kindOf(type) === KIND.direct) {
        const node = envelope.node();
        adapter.directBroadcast(node, topic, bytes.subarray(offset, offset + length));
      } else {
        adapter.broadcast(topic, bytes.subarray(offset, offset + length));
      }
      counters.add(COUNTER.sentToNodes);
    } catch (error) {
      counters.add(COUNTER.lostToNodes);
      this.#lost.add(index.slotOf(envelope.hash));
      this.#retryLater();
      this.#report(error);
    }
  }

  #sendMail(mail: Uint8Array): void {
    try {
      this.#parts.adapter.directBroadcast(unpackMail(mail).to.node, MAIL, mail);
    } catch (error) {
      this.#report(error);
    }
  }

  /** Tells the other nodes what they did not get, if anything. Throws where it cannot. */
  #sendGap(): void {
    if (this.#lost.isEmpty) return;
    const { adapter, index, hashSeed } = this.#parts;
    const node = { seed: hashSeed, indexBits: index.indexBits };
    adapter.gap(packGap(node, this.#lost.notice()));
    this.#lost.clear();
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      try {
        this.#sendGap();
      } catch {
        // Said when it failed first, and by whatever else fails.
        this.#retryLater();
      }
    }, RETRY_MS).unref();
  }

  #deliver(topic: string, envelope: Uint8Array): void {
    if (isMail(envelope)) {
      this.#deliverMail(envelope);
      return;
    }
    const { exchange, index, hashSeed, onError, counters } = this.#parts;
    counters.add(COUNTER.heardFromNodes);
    const hash = topicHash(hashSeed, topic);
    rehash(envelope, hash);
    const slot = index.slotOf(hash);
    const type = kindAndFlags(KIND.broadcast, 0);
    if (exchange.publish(slot, type, envelope, envelope.length, NO_MEMBER)) return;
    const node = { seed: hashSeed, indexBits: index.indexBits };
    this.#deliverGap(packGap(node, Int32Array.of(slot)));
    onError(new Error(`a broadcast of another node is too large, got ${envelope.length} (bytes)`));
  }

  #deliverMail(mail: Uint8Array): void {
    const { exchange, index, onError } = this.#parts;
    const { member } = unpackMail(mail).to;
    // A number may have no thread just now, and a node that came back fewer numbers than it had:
    // what was written there would never be read.
    if (!exchange.reaches(member) || !index.has(GAP_SLOT, member)) return;
    const type = kindAndFlags(KIND.mail, 0);
    if (exchange.send(member, CONTROL_SLOT, type, mail, mail.length)) return;
    onError(new Error(`mail of another node could not be handed on, member=${member}`));
  }

  #deliverGap(gap: Uint8Array): void {
    const { exchange } = this.#parts;
    const type = kindAndFlags(KIND.gap, 0);
    if (exchange.publish(GAP_SLOT, type, gap, gap.length, NO_MEMBER)) return;
    exchange.publish(GAP_SLOT, type, ALL_TOPICS, 0, NO_MEMBER);
  }
}
