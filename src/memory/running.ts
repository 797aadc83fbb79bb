/**
 * A note of the callback that a member runs, which main reads when the member's thread is stuck or has
 * died, and can no longer be asked.
 *
 * Runs on: shards write, main reads.
 * Owns:    a member writes only its own note.
 * Order:   none. Main reads a note that has not changed for a long time. A note that is read while it
 *          changes may mix two callbacks; it is only shown to people.
 * Full:    a topic or an event longer than TEXT_UNITS is cut.
 */

import {
  eventLengthWord,
  eventUnit,
  NOTHING_RUNS,
  runningBytes,
  TEXT_UNITS,
  topicLengthWord,
  topicUnit,
} from "./running-layout.ts";

/** A callback that runs. */
export interface RunningCallback {
  /** The channel's topic, or the path of a raw socket. */
  readonly topic: string;
  /** The event, or the name of the callback. */
  readonly event: string;
}

/** Allocates the notes of a given number of members, none of which runs a callback. */
export function makeRunningMemory(members: number): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(runningBytes(members));
  for (let member = 0; member < members; member += 1) clearRunning(shared, member);
  return shared;
}

/** The note of one member, for writing. */
export class RunningNote {
  readonly #words: Int32Array;
  readonly #units: Uint16Array;
  readonly #topicLengthWord: number;
  readonly #eventLengthWord: number;
  readonly #topicUnit: number;
  readonly #eventUnit: number;
  /** The texts in the note, which are not written again. */
  #topic = "";
  #event = "";

  constructor(shared: SharedArrayBuffer, member: number) {
    this.#words = new Int32Array(shared);
    this.#units = new Uint16Array(shared);
    this.#topicLengthWord = topicLengthWord(member);
    this.#eventLengthWord = eventLengthWord(member);
    this.#topicUnit = topicUnit(member);
    this.#eventUnit = eventUnit(member);
  }

  /** Notes that a callback begins. */
  write(topic: string, event: string): void {
    if (event !== this.#event) {
      this.#event = event;
      this.#words[this.#eventLengthWord] = this.#writeText(this.#eventUnit, event);
    }
    if (topic !== this.#topic) {
      this.#topic = topic;
      this.#writeText(this.#topicUnit, topic);
    }
    const { length } = topic;
    this.#words[this.#topicLengthWord] = length < TEXT_UNITS ? length : TEXT_UNITS;
  }

  /** Notes that no callback runs. */
  clear(): void {
    this.#words[this.#topicLengthWord] = NOTHING_RUNS;
  }

  // A loop takes 1 ns per character; encoding into shared memory takes 150 ns for any text.
  #writeText(first: number, text: string): number {
    const length = text.length < TEXT_UNITS ? text.length : TEXT_UNITS;
    for (let at = 0; at < length; at += 1) this.#units[first + at] = text.charCodeAt(at);
    return length;
  }
}

/** Reads a member's note. @returns undefined if no callback runs */
export function readRunning(
  shared: SharedArrayBuffer,
  member: number,
): RunningCallback | undefined {
  const words = new Int32Array(shared);
  const length = words[topicLengthWord(member)] as number;
  if (length === NOTHING_RUNS) return undefined;
  const units = new Uint16Array(shared);
  const text = (first: number, count: number): string =>
    String.fromCharCode(...units.subarray(first, first + count));
  return {
    topic: text(topicUnit(member), length),
    event: text(eventUnit(member), words[eventLengthWord(member)] as number),
  };
}

/** Notes that a member runs nothing. Called by main after the member's thread has ended. */
export function clearRunning(shared: SharedArrayBuffer, member: number): void {
  const words = new Int32Array(shared);
  words[topicLengthWord(member)] = NOTHING_RUNS;
  words[eventLengthWord(member)] = 0;
}
