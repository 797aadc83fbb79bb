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
 *       what members lost on the way here, and what the adapter could not send. What comes from
 *       another node and is larger than the overflow bound of this one is told here by a gap.
 *       A link that replaces one that ended tells all topics, on both sides.
 *       Mail that finds no room, or no adapter that takes it, is lost: who waits for an answer to
 *       it has a time limit.
 */

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
}

const NO_MEMBER = -1;
/** What stands in a topic's place where mail is sent. */
const MAIL = "mail";
/** How soon a gap that could not be sent is tried again, where nothing else is sent meanwhile. */
const RETRY_MS = 1_000;
const ALL_TOPICS = new Uint8Array(0);

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
      this.#parts.onError(error);
    }
  }

  #send(type: number, bytes: Uint8Array, offset: number, length: number): void {
    const { adapter, index } = this.#parts;
    if (kindOf(type) === KIND.mail) {
      const mail = bytes.subarray(offset, offset + length);
      adapter.directBroadcast(unpackMail(mail).to.node, MAIL, mail);
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
    } catch (error) {
      this.#lost.add(index.slotOf(envelope.hash));
      this.#retryLater();
      throw error;
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
    const { exchange, index, hashSeed, onError } = this.#parts;
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
