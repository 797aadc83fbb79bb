/**
 * The history of one channel: what a channel whose client asked for it has beside its ordinary state.
 *
 *   opening --answer of the keeper--> replaying --its last answer--> live
 *      |                                  |                           |
 *      +----------------------------------+---------------------------+--end, missed--> over
 *
 *   opening     the join is accepted but not answered; the channel is in no lane
 *   replaying   kept messages follow one by one; in a lane for everything that is not kept
 *   live        in a lane for all
 *
 * Intercepted messages are handled one at a time. Meanwhile the kept messages behind them wait in the
 * mailbox, so that offsets never fall.
 *
 * Runs on: the shard that owns the connection. Created for channels whose client asked only.
 */

import { badResult } from "../callbacks/results.ts";
import { makeError } from "../errors.ts";
import { jsonOf, JsonText } from "../protocol/json-text.ts";
import { EVENT } from "../protocol/reserved.ts";
import type { Frame, Serializer } from "../protocol/serializer.ts";
import type { TopicEntry } from "../pubsub/registry.ts";
import type { KeptLetter } from "./channel-letters.ts";
import { STATE, type ChannelState } from "./channel-state.ts";
import type { Asked } from "./history-option.ts";
import { markOf, type KeptFrames } from "./kept-frames.ts";
import { TRACKS, type Lane, type Subscriber, type Tracks } from "./lane.ts";
import { Replay, type HistoryStart, type ReplayedHistory } from "./replay.ts";
import type { ShardChannels } from "./shard-channels.ts";

/** A channel, as its history knows it. */
export interface HistoryOwner extends Subscriber {
  readonly topic: string;
  readonly state: ChannelState;
  readonly shared: ShardChannels;
  entry: TopicEntry<Lane> | undefined;
  /** Time limit for its join. */
  readonly joinTimeoutMs: number;
  /** Answers the join with ok, and opens the channel. */
  acceptJoin(payload: object): void;
  /** Answers the join with an error, and ends the channel. */
  failJoin(error: unknown): void;
  /** Handles a letter, now or in its turn. */
  receiveLetter(letter: KeptLetter): void;
}

const NOTHING = Object.freeze({});
const ALLOWED =
  "ok(payload) with an object without the key history, since its client asked for the history,";

/** The history of a channel. */
export class ChannelHistory implements ReplayedHistory {
  readonly asked: Asked;
  tracks: Tracks = TRACKS.replaying;
  /** Position of the intercepted message that is being handled; 0 if there is none. */
  #handling = 0;
  /** Whether a frame with this position has been sent. */
  #hasTold = false;
  /** Number of kept messages in the mailbox, or being handled. */
  #pending = 0;
  /** What the app replied to the join, until it is answered. */
  #accepted: object = NOTHING;
  #startedMs = 0;
  #epoch = "";
  /** Until the channel is live. */
  #replay: Replay | undefined = undefined;
  readonly #owner: HistoryOwner;

  constructor(owner: HistoryOwner, asked: Asked) {
    this.#owner = owner;
    this.asked = asked;
  }

  get isPending(): boolean {
    return this.#pending > 0;
  }

  // -- the join ----------------------------------------------------------------------------------

  /**
   * Subscribes, and asks the keeper of the topic. The join is answered when the keeper has answered.
   *
   * @param payload - what the app replied
   */
  open(payload: unknown, startedMs: number): void {
    const owner = this.#owner;
    const { pubsub, fastlane, counters, openJoins, failedMessages } = owner.shared;
    const { keeping } = pubsub;
    if (!keeping) throw makeError("SIM_ERR_INTERNAL", "a topic with a history must have a keeper");
    try {
      this.#accepted = acceptedOf(payload);
    } catch (error) {
      owner.failJoin(error);
      return;
    }
    this.#startedMs = startedMs;
    owner.entry = pubsub.acquire(owner.topic);
    const { joinTimeoutMs } = owner;
    const parts = {
      pubsub,
      keeping,
      fastlane,
      counters,
      openJoins,
      failedMessages,
      joinTimeoutMs,
    };
    this.#replay = new Replay(owner, this, owner.entry, parts);
    this.#replay.start();
  }

  opened({ epoch, position, recovered, count }: HistoryStart): boolean {
    const owner = this.#owner;
    const { entry } = owner;
    if (!entry || owner.state !== STATE.joining) return false;
    const { fastlane, reports } = owner.shared;
    this.#epoch = epoch;
    fastlane.join(entry, owner);
    const history = { epoch, offset: String(position), recovered, count };
    const accepted = this.#accepted;
    this.#accepted = NOTHING;
    reports.historyJoined(owner, recovered, count, this.#startedMs);
    owner.acceptJoin({ ...accepted, [EVENT.history]: history });
    return isOpen(owner);
  }

  failed(error: Error): void {
    if (this.#owner.state === STATE.joining) this.#owner.failJoin(error);
  }

  isLive(): void {
    this.#replay = undefined;
  }

  /** Stops the replay: nothing more follows. */
  end(): void {
    this.#replay?.end();
    this.#replay = undefined;
  }

  // -- kept messages -----------------------------------------------------------------------------

  receive(event: string, payload: unknown, bytes: number, position: number): void {
    this.#pending += 1;
    this.#owner.receiveLetter({ kind: "kept", message: { event, payload, position }, bytes });
  }

  sendLater({ bytes, isBinary, mark }: KeptFrames): void {
    this.#pending += 1;
    // Copied, because they may be views of a ring.
    const message = { bytes: new Uint8Array(bytes), isBinary, mark };
    this.#owner.receiveLetter({ kind: "kept", message, bytes: bytes.length });
  }

  /** Sends frames whose turn has come. */
  sendNow({ bytes, isBinary, mark }: KeptFrames): void {
    const { connection } = this.#owner.owner;
    connection.sendEncoded(bytes, isBinary);
    if (mark) connection.sendEncoded(mark, false);
    this.#done();
  }

  /** Called before the handler of an intercepted message. */
  handles(position: number): void {
    this.#handling = position;
    this.#hasTold = false;
  }

  /** Offset that a push carries now; null if it carries none. */
  get ref(): string | null {
    return this.#handling === 0 ? null : String(this.#handling);
  }

  /** Notes that a frame with the offset of `ref` was sent. */
  pushed(frame: Frame, serializer: Serializer): void {
    // Binary frames of version 2 have no place for a ref.
    this.#hasTold ||= typeof frame === "string" || serializer.broadcast !== undefined;
  }

  /** Called when the handler of an intercepted message has settled. Tells the offset if no push has. */
  handled(): void {
    const { entry, owner } = this.#owner;
    const position = this.#handling;
    this.#handling = 0;
    if (!this.#hasTold && entry && isOpen(this.#owner)) {
      try {
        owner.connection.send(markOf(owner.serializer, entry.json, position));
      } catch {
        // The client keeps an older position, and gets later messages again if it rejoins.
      }
    }
  }

  /** Called when a callback has failed. A rejoin does not get the message again on which it has. */
  crashed(): void {
    const { owner, topic, shared } = this.#owner;
    if (this.#handling === 0) return;
    shared.failedMessages.add(owner, { topic, epoch: this.#epoch, position: this.#handling });
  }

  /** Called after `handled`, when what the handler returned has been followed. */
  finished(): void {
    this.#done();
  }

  #done(): void {
    this.#pending -= 1;
    if (this.#pending === 0) this.#replay?.handled();
  }
}

/** Reports whether the broadcasts of a channel's topic are kept, and clients may ask for them. */
export function mayAsk({ definition, shared, topic }: Keepable): boolean {
  if (!definition.history) return false;
  return shared.pubsub.keeping?.find(topic) !== undefined;
}

/** A channel whose topic may be kept. */
interface Keepable {
  readonly definition: { readonly history?: unknown };
  readonly shared: ShardChannels;
  readonly topic: string;
}

// A call, since user code may have changed the state since it was last read.
function isOpen({ state }: HistoryOwner): boolean {
  return state === STATE.open;
}

/**
 * Copies what the app replied to a join, so that a key can be added.
 *
 * @throws SIM_ERR_BAD_RESULT if that is impossible; SIM_ERR_PAYLOAD if it has no JSON; whatever a getter throws
 */
function acceptedOf(payload: unknown): object {
  const given = JsonText.decoded(payload ?? NOTHING);
  // Other objects may have another form in JSON than their properties, or none.
  const accepted: unknown = isPlain(given) ? given : JSON.parse(jsonOf(given));
  if (isPlain(accepted) && !Object.hasOwn(accepted, EVENT.history)) return { ...accepted };
  throw badResult("join", ALLOWED, payload);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null || "toJSON" in value) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
