/**
 * What connects a session with its client: a stream on this shard, or reads of a stream on another one.
 *
 * Runs on: the shard with the session. Types only.
 */

/** Why a stream ends. */
export type StreamEnd =
  /** The connection has ended; the text is the last of the stream. */
  | "over"
  /** The session has another stream now. */
  | "replaced"
  /** The client does not read, so that nothing more is sent. */
  | "cut";

/** Takes the events of a session. */
export interface EventSink {
  /** Whether it takes a batch now. If not, it calls `flush` of its session later. */
  readonly isReady: boolean;
  /** Bytes that it has taken and not sent. */
  readonly bufferedBytes: number;
  /** Whether its client is there. If not for `resumeMs`, the session ends, as without a stream. */
  readonly isPresent: boolean;
  /** Takes a batch. */
  write(text: string): void;
  /** Ends the stream after a last text. */
  end(why: StreamEnd, text: string): void;
}

/** Makes events of the frames of a session. */
export interface FrameEncoder {
  /** Returns the event for a frame, which gets this number; undefined if there is none. */
  encode(frame: string | Uint8Array, number: number): string | undefined;
  /** Called when the connection has ended. */
  stop(): void;
}
