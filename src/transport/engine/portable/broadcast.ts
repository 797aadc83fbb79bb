/**
 * A message that is sent to the subscribers of a topic. Its frame is made once, for those with compression and for those
 * without.
 *
 * Runs on: shard.
 */

import type { EngineText } from "../app-port.ts";
import { compressedFrameOf, frameOf, OPCODE, type Opcode } from "./frame.ts";

/** Somebody who gets messages. */
export interface Subscriber {
  /** Sends a message to its client. */
  deliver(broadcast: Broadcast): void;
}

/** A message to many. */
export class Broadcast {
  readonly #message: EngineText;
  readonly #opcode: Opcode;
  readonly #isCompressed: boolean;
  #plain: Uint8Array | undefined = undefined;
  #compressed: Uint8Array | undefined = undefined;

  /** @param message - its bytes must not change before it is delivered */
  constructor(message: EngineText, isBinary: boolean, isCompressed: boolean) {
    this.#message = message;
    this.#opcode = isBinary ? OPCODE.binary : OPCODE.text;
    this.#isCompressed = isCompressed;
  }

  /** Returns the frame, for clients with or without compression. */
  frame(compresses: boolean): Uint8Array {
    if (compresses && this.#isCompressed) {
      return (this.#compressed ??= compressedFrameOf(this.#opcode, this.#message));
    }
    return (this.#plain ??= frameOf(this.#opcode, this.#message));
  }

  /** Delivers it to all subscribers of a topic but one. @returns whether there is one */
  deliverTo(subscribers: ReadonlySet<Subscriber>, except: Subscriber | undefined): boolean {
    for (const subscriber of subscribers) {
      if (subscriber !== except) subscriber.deliver(this);
    }
    return subscribers.size > (except && subscribers.has(except) ? 1 : 0);
  }
}
