/**
 * The letters that wait in a channel's mailbox.
 *
 * Runs on: the shard that owns the connection. Types only.
 */

import type { ExitReason } from "../callbacks/results.ts";
import type { Ref } from "../protocol/message.ts";
import type { KeptFrames } from "./kept-frames.ts";

/** A kept broadcast for a channel whose client asked for a history. */
export interface KeptLetter {
  readonly kind: "kept";
  /** An intercepted message, or the frames of one that is not. */
  readonly message: KeptMessage | KeptFrames;
  readonly bytes: number;
}

/** An intercepted message. */
export interface KeptMessage {
  readonly event: string;
  readonly payload: unknown;
  readonly position: number;
}

/** An item in a channel's mailbox. */
export type ChannelLetter =
  | { readonly kind: "joined" }
  | {
      readonly kind: "in";
      readonly event: unknown;
      readonly payload: unknown;
      readonly ref: Ref;
      readonly bytes: number;
    }
  | {
      readonly kind: "out";
      readonly event: string;
      readonly payload: unknown;
      readonly bytes: number;
    }
  | KeptLetter
  | { readonly kind: "info"; readonly message: unknown; readonly bytes: number }
  | { readonly kind: "expiring"; readonly leftMs: number }
  | { readonly kind: "leftOut"; readonly count: number }
  | { readonly kind: "lost"; readonly error: Error }
  | { readonly kind: "leave"; readonly ref: Ref }
  | { readonly kind: "close"; readonly reason: ExitReason };
