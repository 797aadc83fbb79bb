/**
 * The history of one channel: what a channel that asked for it has beside its ordinary state.
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

import { EVENT } from "../protocol/reserved.ts";
import type { Asked } from "./history-option.ts";
import { TRACKS, type Tracks } from "./lane.ts";

/** A replay, as its channel knows it. */
interface RunningReplay {
  /** Called when no kept message of the channel is being handled any more. */
  handled(): void;
  /** Stops the replay. */
  end(): void;
}

/** The history of a channel. */
export class ChannelHistory {
  readonly asked: Asked;
  /** Selects the lane of the channel. */
  tracks: Tracks = TRACKS.replaying;
  /** What the app replied to the join, until it is answered, and when the join began. */
  accepted: object = {};
  startedMs = 0;
  /** Until the channel is live. */
  replay: RunningReplay | undefined = undefined;
  /** Position of the intercepted message that is being handled; 0 if there is none. */
  handling = 0;
  /** Whether a frame with this position has been sent. */
  hasTold = false;
  /** Number of kept messages in the mailbox, or being handled. */
  #pending = 0;

  constructor(asked: Asked) {
    this.asked = asked;
  }

  /** Whether a kept message must wait for another one. */
  get isPending(): boolean {
    return this.#pending > 0;
  }

  /** Offset that a push carries now; null if it carries none. */
  get ref(): string | null {
    return this.handling === 0 ? null : String(this.handling);
  }

  /** Called when a kept message goes to the mailbox, or to its handler. */
  began(): void {
    this.#pending += 1;
  }

  /** Called when a kept message has been handled. */
  done(): void {
    this.handling = 0;
    this.#pending -= 1;
    if (this.#pending === 0) this.replay?.handled();
  }

  /** Stops the replay: nothing more follows. */
  end(): void {
    this.replay?.end();
    this.replay = undefined;
  }
}

/** Adds the position to what the app replied to a join. */
export function withHistory(
  payload: object,
  history: {
    readonly epoch: string;
    readonly offset: string;
    readonly recovered: boolean;
    readonly count: number;
  },
): object {
  return { ...payload, [EVENT.history]: history };
}
