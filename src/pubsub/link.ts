/**
 * Carries broadcasts between this node and the others: one more producer, one more consumer.
 *
 * Broadcasts of this node's members arrive here as records, and are passed to the adapter with their
 * topic. Broadcasts from the adapter are written to the members that the index names. Only the topic
 * is decoded. Mail is sent to the node and the member that it names.
 *
 * Runs on: link.
 * Full: as for any member: a broadcast from another node that finds no room waits, and is finally
 *       lapped. What was lost on the way to other nodes is reported to them by a gap, before the next
 *       broadcast: what members lost on the way here, what the adapter could not send, and what it
 *       reports as lost afterwards. A broadcast from another node that is larger than the overflow
 *       bound of this one is reported here by a gap. A link that replaces one that ended tells all
 *       topics, on both sides.
 *       Mail that finds no room, or that the adapter refuses, is lost. Senders that wait for an answer
 *       have a time limit.
 */

import { hasCode } from "../errors.ts";
import { EVENT } from "../protocol/reserved.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { topicHash } from "../memory/topic-hash.ts";
import type { Adapter } from "./adapter.ts";
import { Envelope, KIND, rehash } from "./envelope.ts";
import { kindAndFlags, kindOf, NO_MEMBER } from "./exchange-layout.ts";
import { CONTROL_SLOT, type ExchangeHandler, type LappedNotice } from "./exchange.ts";
import { GAP_SLOT, packGap } from "./gap.ts";
import { NO_REQUEST, packJson, Trailer, TRAILER_BYTES, trailerAt } from "./history-records.ts";
import type { Keeping } from "./keeping.ts";
import { isKeptEvent } from "./kept-topics.ts";
import type { Member } from "./member.ts";
import { isMail, unpackMail } from "./node-mail.ts";
import { LappedSlots } from "./outgoing-records.ts";

/** The name under which mail is passed to the adapter, in place of a topic. */
const MAIL = "mail";
/** Delay before a gap that could not be sent is retried, unless something else is sent first. */
const RETRY_MS = 1_000;
const ALL_TOPICS = new Uint8Array(0);
const NO_SLOTS = new Int32Array(0);
const NO_NOTE = new Uint8Array(0);

/** The link of a node. */
export class Link implements ExchangeHandler {
  readonly #member: Member;
  readonly #adapter: Adapter;
  readonly #envelope = new Envelope();
  /** Slots of broadcasts that other nodes did not get, and have not been told about. */
  readonly #lost = new LappedSlots();
  #retry: NodeJS.Timeout | undefined = undefined;
  #keeping: Keeping | undefined = undefined;
  readonly #trailer = new Trailer();

  constructor(member: Member, adapter: Adapter) {
    this.#member = member;
    this.#adapter = adapter;
  }

  /**
   * Connects, and carries broadcasts from then on.
   *
   * @param isReplacement - true if another thread was the link before. Broadcasts between the two did
   *   not cross, in either direction. Their topics are unknown, so all topics on both sides are told
   */
  async start(isReplacement = false): Promise<void> {
    await this.#adapter.start(
      (topic, envelope) => this.#deliver(topic, envelope),
      (gap) => {
        this.#member.logger.log("gap");
        this.#deliverGap(gap);
      },
      {
        onLost: (topics) => this.#lostByAdapter(topics),
        onConnected: (address) => this.#connected(address),
        onDisconnected: (address, error) => this.#disconnected(address, error),
        onError: (error) => this.onError(error),
      },
    );
    if (isReplacement) {
      this.#tellOthers("all");
      this.#deliverGap(ALL_TOPICS);
    }
    this.#member.start(this);
  }

  /** Sets which topics are kept, so that broadcasts of other nodes to them are kept too. */
  keep(keeping: Keeping): void {
    this.#keeping = keeping;
  }

  /** Sends all remaining records, and disconnects. */
  async stop(): Promise<void> {
    this.#member.exchange.drainNow();
    this.#member.stop();
    clearTimeout(this.#retry);
    await this.#adapter.stop();
  }

  // -- to other nodes ----------------------------------------------------------------------------

  /** Sends a record from this node's members. */
  onRecord(_from: number, type: number, bytes: Uint8Array, offset: number, length: number): void {
    const { index, counters } = this.#member;
    const record = bytes.subarray(offset, offset + length);
    if (kindOf(type) === KIND.mail) {
      this.#sendMail(record);
      return;
    }
    const envelope = this.#envelope.read(bytes, offset, length);
    const topic = envelope.topic();
    try {
      this.#sendGap();
      if (kindOf(type) === KIND.direct) {
        this.#adapter.directBroadcast(envelope.node(), topic, record);
      } else {
        this.#adapter.broadcast(topic, record, isDisconnect(envelope));
      }
      counters.add(COUNTER.sentToNodes);
    } catch (error) {
      counters.add(COUNTER.lostToNodes);
      this.#lost.add(index.slotOf(envelope.hash));
      this.#retryLater();
      this.#report(error);
    }
  }

  /** Notifies the other nodes that a member's records were lost on their way to this link. */
  onLapped(from: number, slots: LappedNotice): void {
    const count = slots === "all" ? slots : slots.length;
    this.#member.logger.log("linkLapped", { from, slots: count });
    this.#tellOthers(slots);
  }

  /** Logs an error from sending or delivering a record. */
  onError(error: unknown): void {
    this.#member.logger.log("adapterFailed", { err: error });
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
    const { counters, index, hashSeed } = this.#member;
    if (topics === "all") {
      this.#tellOthers(topics);
      return;
    }
    counters.add(COUNTER.lostToNodes, topics.length);
    this.#tellOthers(Int32Array.from(topics, (topic) => index.slotOf(topicHash(hashSeed, topic))));
  }

  #connected(address: string): void {
    const { counters, logger } = this.#member;
    counters.set(COUNTER.linkDown, 0);
    logger.log("linkConnected", { address });
    if (!this.#lost.isEmpty) this.#tellOthers(NO_SLOTS);
  }

  #disconnected(address: string, error: unknown): void {
    const { counters, logger } = this.#member;
    counters.set(COUNTER.linkDown, 1);
    logger.log("linkDisconnected", { address, err: error });
  }

  /** Logs an error, unless it only repeats that the adapter is disconnected or full. */
  #report(error: unknown): void {
    if (!hasCode(error, "SIM_ERR_NOT_SENT")) this.onError(error);
  }

  #sendMail(mail: Uint8Array): void {
    try {
      this.#adapter.directBroadcast(unpackMail(mail).to.node, MAIL, mail);
    } catch (error) {
      this.#report(error);
    }
  }

  /** Notifies the other nodes of the broadcasts that they missed, if any. Throws if it cannot. */
  #sendGap(): void {
    if (this.#lost.isEmpty) return;
    this.#adapter.gap(this.#gapOf(this.#lost.notice()));
    this.#lost.clear();
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      try {
        this.#sendGap();
      } catch {
        // The first failure has already been reported.
        this.#retryLater();
      }
    }, RETRY_MS).unref();
  }

  #gapOf(slots: LappedNotice): Uint8Array {
    const { hashSeed, index } = this.#member;
    return packGap({ seed: hashSeed, indexBits: index.indexBits }, slots);
  }

  // -- from other nodes --------------------------------------------------------------------------

  #deliver(topic: string, envelope: Uint8Array): void {
    if (isMail(envelope)) {
      this.#deliverMail(envelope);
      return;
    }
    const { exchange, index, hashSeed, counters } = this.#member;
    counters.add(COUNTER.heardFromNodes);
    const hash = topicHash(hashSeed, topic);
    rehash(envelope, hash);
    if (this.#keeping && this.#isKept(this.#keeping, topic, envelope)) return;
    const slot = index.slotOf(hash);
    const type = kindAndFlags(KIND.broadcast, 0);
    if (exchange.publish(slot, type, envelope, envelope.length, NO_MEMBER)) return;
    this.#deliverGap(this.#gapOf(Int32Array.of(slot)));
    const message = `a broadcast of another node must fit into overflowBytes, got ${envelope.length} (bytes)`;
    this.onError(new Error(message));
  }

  /** Passes a broadcast to the keeper of its topic. @returns false if it is not kept */
  #isKept(keeping: Keeping, topic: string, envelope: Uint8Array): boolean {
    const history = keeping.find(topic);
    if (!history) return false;
    const { hash, frameLength } = this.#envelope.read(envelope, 0, envelope.length);
    if (!isKeptEvent(history, this.#envelope.event())) return false;
    const end = trailerAt(0, frameLength);
    const key = this.#envelope.key();
    // Something else after the frame: a direct broadcast, or one that its sender left out of the history.
    if (envelope.length > end && key === undefined) return false;
    if (keeping.isTooLarge(end)) return false;
    const note = key === undefined ? NO_NOTE : packJson({ request: NO_REQUEST, key });
    const record = new Uint8Array(end + TRAILER_BYTES + note.length);
    record.set(envelope.subarray(0, end));
    keeping.exclude(this.#trailer, undefined);
    this.#trailer.write(record, end);
    record.set(note, end + TRAILER_BYTES);
    if (key === undefined) keeping.keep(hash, record, record.length);
    else keeping.keepOnce(hash, record);
    return true;
  }

  #deliverMail(mail: Uint8Array): void {
    const { exchange, index } = this.#member;
    const { member } = unpackMail(mail).to;
    // The member may have no thread at the moment, or this node may have restarted with fewer
    // members. Mail written to such a member would never be read.
    if (!exchange.reaches(member) || !index.has(GAP_SLOT, member)) return;
    const type = kindAndFlags(KIND.mail, 0);
    if (exchange.send(member, CONTROL_SLOT, type, mail, mail.length)) return;
    this.onError(new Error(`mail of another node could not be delivered, member=${member}`));
  }

  #deliverGap(gap: Uint8Array): void {
    const { exchange } = this.#member;
    const type = kindAndFlags(KIND.gap, 0);
    if (exchange.publish(GAP_SLOT, type, gap, gap.length, NO_MEMBER)) return;
    exchange.publish(GAP_SLOT, type, ALL_TOPICS, 0, NO_MEMBER);
  }
}

/** Reports whether a broadcast disconnects the sockets of an ID. */
function isDisconnect(envelope: Envelope): boolean {
  return envelope.eventLength === EVENT.disconnect.length && envelope.event() === EVENT.disconnect;
}
