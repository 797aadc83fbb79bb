/**
 * Makes the frames of one connection: mostly traffic that the connection survives, and at its end
 * traffic that breaks it.
 *
 * Runs on: the fuzzer's process. Pure: the same random choices make the same frames.
 */

import { deflateRawSync } from "node:zlib";
import { encodeFrame, OPCODE, type ClientFrame } from "../suites/frames.ts";
import type { Random } from "../suites/random.ts";
import { mutateBytes } from "./byte-mutations.ts";
import { isMessage, type Corpus, type SentFrame, type Version } from "./corpus.ts";
import { mutateMessage } from "./json-mutations.ts";

/** Bytes to write, and how many frames they are. */
export interface Written {
  readonly bytes: Buffer;
  readonly frames: number;
}

/** The end of a connection. */
export interface Breaker extends Written {
  /** Name for reports. */
  readonly name: string;
  /** Whether the server may rightly wait for more, so that it neither answers nor closes. */
  readonly isUnfinished: boolean;
}

const MAX_CONTROL_BYTES = 125;
const MASK_LIMIT = 2 ** 31 - 1;
const RSV1 = 4;
const EMPTY = Buffer.alloc(0);

/** Makes frames of one connection. */
export class FrameMaker {
  readonly #random: Random;
  readonly #corpus: Corpus;
  readonly #version: Version;
  readonly #isDeflated: boolean;
  /** Replaces the topic that most recordings use, so that not all connections share it. */
  readonly #lobby: string;
  #sequence: readonly SentFrame[] = [];
  #position = 0;

  /** @param lobby - the connection's own topic, or undefined to share that of the recordings */
  constructor(
    random: Random,
    corpus: Corpus,
    { version, isDeflated, lobby = "room:lobby" }: FrameMakerOptions,
  ) {
    this.#random = random;
    this.#corpus = corpus;
    this.#version = version;
    this.#isDeflated = isDeflated;
    this.#lobby = lobby;
  }

  /** Makes the next message, which the connection should survive. */
  make(): Written {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 6) return this.#frame(text(this.#join()));
    if (dice < 40) return this.#frame(this.#nextValid());
    if (dice < 86) return this.#frame(text(this.#mutated()));
    if (dice < 90) return this.#control();
    if (dice < 96) return this.#fragmented(this.#nextValid());
    return this.#frame(this.#binary());
  }

  /** Makes traffic that breaks the protocol in some layer. */
  makeBreaker(): Breaker {
    const random = this.#random;
    const [name, make] = random.pick(BREAKERS);
    const made = make(random, this.#nextValid(), this.#corpus.texts[this.#version]);
    const frames = made.frames.map((frame) => this.#encode(frame));
    const bytes = made.bytes === undefined ? Buffer.concat(frames) : made.bytes;
    return { name, bytes, frames: Math.max(1, frames.length), isUnfinished: made.isUnfinished };
  }

  #encode(frame: ClientFrame): Buffer {
    const mask = this.#random.chance(0.1) ? this.#random.below(MASK_LIMIT) : 0;
    return encodeFrame({ mask, ...frame });
  }

  #frame({ opcode, payload }: SentFrame): Written {
    const isData = opcode === OPCODE.text || opcode === OPCODE.binary;
    if (isData && this.#isDeflated && this.#random.chance(0.5)) {
      const compressed = deflated(payload);
      return { bytes: this.#encode({ opcode, payload: compressed, reserved: RSV1 }), frames: 1 };
    }
    return { bytes: this.#encode({ opcode, payload }), frames: 1 };
  }

  /** Returns the next message of a recorded connection, or begins with another one. */
  #nextValid(): SentFrame {
    if (this.#position >= this.#sequence.length) {
      this.#sequence = this.#random.pick(this.#corpus.sequences[this.#version]);
      this.#position = 0;
    }
    const frame = this.#sequence[this.#position] as SentFrame;
    this.#position += 1;
    return frame.opcode === OPCODE.text ? text(this.#ownTopic(frame.payload.toString())) : frame;
  }

  /** Returns a join, so that messages that follow reach a channel again. */
  #join(): string {
    const topic = this.#random.pick([this.#lobby, this.#lobby, "presence:1", "typed:1", "raw:1"]);
    return this.#version === 2
      ? JSON.stringify(["1", "1", topic, "phx_join", {}])
      : JSON.stringify({ topic, event: "phx_join", payload: {}, ref: "1" });
  }

  /** Returns a mutated message that is still a message, or a valid one if the mutation is not. */
  #mutated(): string {
    const picked = this.#random.pick(this.#corpus.texts[this.#version]);
    const mutated = mutateMessage(this.#random, picked, this.#version);
    const isAlive = isMessage(this.#version, text(mutated));
    return this.#ownTopic(isAlive ? mutated : picked);
  }

  #ownTopic(message: string): string {
    return message.replace(/"room:(?:lobby|1|v)"/, () => JSON.stringify(this.#lobby));
  }

  #binary(): SentFrame {
    const opcode = OPCODE.binary;
    if (this.#version === 1) return { opcode, payload: Buffer.from(this.#mutated()) };
    const random = this.#random;
    const picked = random.pick(this.#corpus.binaries);
    if (random.chance(0.5)) {
      return { opcode, payload: Buffer.concat([picked, random.bytes(random.below(64))]) };
    }
    const mutated = { opcode, payload: mutateBytes(random, picked) };
    return isMessage(2, mutated) ? mutated : { opcode, payload: picked };
  }

  #control(): Written {
    const opcode = this.#random.pick([OPCODE.ping, OPCODE.pong]);
    const payload = this.#random.bytes(this.#random.pick([0, 1, 5, MAX_CONTROL_BYTES]));
    return { bytes: this.#encode({ opcode, payload }), frames: 1 };
  }

  /** Splits a message into fragments, some of them empty, with control frames between them. */
  #fragmented({ opcode, payload }: SentFrame): Written {
    if (opcode >= OPCODE.close) return this.#frame({ opcode, payload });
    const parts: Buffer[] = [];
    let start = 0;
    for (let left = this.#random.between(1, 5); left > 0; left--) {
      const end = this.#random.between(start, payload.length);
      parts.push(
        this.#encode({
          opcode: openingOr(opcode, parts),
          payload: payload.subarray(start, end),
          isLast: false,
        }),
      );
      if (this.#random.chance(0.3)) parts.push(this.#control().bytes);
      start = end;
    }
    parts.push(this.#encode({ opcode: OPCODE.rest, payload: payload.subarray(start) }));
    return { bytes: Buffer.concat(parts), frames: 1 };
  }
}

interface FrameMakerOptions {
  readonly version: Version;
  /** Whether the connection has negotiated compression. */
  readonly isDeflated: boolean;
  readonly lobby?: string | undefined;
}

function text(message: string): SentFrame {
  return { opcode: OPCODE.text, payload: Buffer.from(message) };
}

function openingOr(opcode: number, before: readonly Buffer[]): number {
  return before.length === 0 ? opcode : OPCODE.rest;
}

function deflated(payload: Buffer): Buffer {
  const compressed = deflateRawSync(payload, { finishFlush: 2 });
  // The last four bytes are not sent (RFC 7692 §7.2.1).
  return compressed.subarray(0, -4);
}

interface Made {
  readonly frames: readonly ClientFrame[];
  /** Bytes in place of frames. */
  readonly bytes?: Buffer;
  readonly isUnfinished: boolean;
}

type MakeBreaker = (random: Random, valid: SentFrame, texts: readonly string[]) => Made;

const finished = (...frames: readonly ClientFrame[]): Made => ({ frames, isUnfinished: false });
const unfinished = (...frames: readonly ClientFrame[]): Made => ({ frames, isUnfinished: true });

/** Lengths near the limits of the format and of the options. */
const LENGTHS = [
  126n,
  65_535n,
  65_536n,
  262_144n,
  327_681n,
  2n ** 31n - 1n,
  2n ** 32n,
  2n ** 63n - 1n,
  2n ** 64n - 1n,
];
const LARGE = [65_000, 262_144, 262_145, 327_680, 400_000];
/** Close codes that are valid, reserved, or no codes at all. */
const CODES = [
  0, 999, 1_000, 1_001, 1_004, 1_005, 1_006, 1_015, 1_016, 2_999, 3_000, 4_999, 5_000, 65_535,
];
/** Text that is valid JSON, and takes more work than its length suggests. */
const COSTLY = ["[", "{}", "[[],", '{"a":', "0", '"\\u0000"', "1e9,"];

/** What breaks a connection, by the name in reports. */
const BREAKERS: readonly (readonly [string, MakeBreaker])[] = [
  [
    "bytes of a message",
    (random, valid) => finished({ ...valid, payload: mutateBytes(random, valid.payload) }),
  ],
  [
    "bytes of a JSON message",
    (random, _valid, texts) =>
      finished({ payload: mutateBytes(random, Buffer.from(random.pick(texts))) }),
  ],
  [
    "two messages in one",
    (random, valid, texts) =>
      finished({ payload: Buffer.concat([valid.payload, Buffer.from(random.pick(texts))]) }),
  ],
  [
    "no message",
    (random) =>
      finished({
        payload: Buffer.from(
          random.pick([
            "",
            "null",
            "1",
            "[]",
            "{}",
            "[1,2,3,4]",
            '["1","1",null,"phx_join",{}]',
            "[[],{},[],{},[]]",
            '"x"',
            "[,]",
          ]),
        ),
      }),
  ],
  [
    "invalid UTF-8",
    (random) =>
      finished({
        payload: Buffer.concat([
          Buffer.from('["1","1","room:'),
          random.bytes(8),
          Buffer.from('","x",{}]'),
        ]),
      }),
  ],
  [
    "a binary message of random bytes",
    (random) => finished({ opcode: OPCODE.binary, payload: random.bytes(random.below(300)) }),
  ],
  [
    "a reserved opcode",
    (random, valid) =>
      finished({ ...valid, opcode: random.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) }),
  ],
  ["reserved bits", (random, valid) => finished({ ...valid, reserved: random.between(1, 7) })],
  [
    "compressed garbage",
    (random) => finished({ payload: random.bytes(random.below(200)), reserved: RSV1 }),
  ],
  ["no mask", (_random, valid) => unfinished({ ...valid, mask: null })],
  ["an unexpected continuation", (_random, valid) => finished({ ...valid, opcode: OPCODE.rest })],
  [
    "a message within a message",
    (_random, valid) => unfinished({ ...valid, isLast: false }, { ...valid, isLast: true }),
  ],
  [
    "a message that is never finished",
    (random, valid) =>
      unfinished(
        ...Array.from({ length: random.between(1, 40) }, (_none, at) => ({
          payload: valid.payload,
          opcode: at === 0 ? OPCODE.text : OPCODE.rest,
          isLast: false,
        })),
      ),
  ],
  [
    "many empty fragments",
    (random) =>
      unfinished(
        ...Array.from({ length: random.between(1, 2_000) }, (_none, at) => ({
          payload: EMPTY,
          opcode: at === 0 ? OPCODE.text : OPCODE.rest,
          isLast: false,
        })),
      ),
  ],
  [
    "a control frame that is too long",
    (random) =>
      finished({
        opcode: random.pick([OPCODE.ping, OPCODE.pong, OPCODE.close]),
        payload: random.bytes(random.between(MAX_CONTROL_BYTES + 1, 400)),
      }),
  ],
  [
    "a control frame in fragments",
    (random) =>
      unfinished({
        opcode: random.pick([OPCODE.ping, OPCODE.pong, OPCODE.close]),
        payload: random.bytes(10),
        isLast: false,
      }),
  ],
  [
    "a close",
    (random) =>
      finished({
        opcode: OPCODE.close,
        payload: Buffer.concat([codeOf(random.pick(CODES)), Buffer.from("bye")]),
      }),
  ],
  ["a close of one byte", () => finished({ opcode: OPCODE.close, payload: Buffer.from([3]) })],
  [
    "a close whose reason is not text",
    (random) =>
      finished({
        opcode: OPCODE.close,
        payload: Buffer.concat([codeOf(1_000), random.bytes(random.below(100))]),
      }),
  ],
  [
    "messages after a close",
    (_random, valid) => finished({ opcode: OPCODE.close, payload: codeOf(1_000) }, valid, valid),
  ],
  [
    "a length that is not true",
    (random, valid) => unfinished({ ...valid, claimedLength: random.pick(LENGTHS) }),
  ],
  [
    "a message near the limit",
    (random) => finished({ payload: Buffer.from(costly(random, random.pick(LARGE))) }),
  ],
  [
    "a large payload",
    (random) =>
      finished({
        payload: Buffer.from(
          `["9","9","room:lobby","echo",[${costly(random, random.pick(LARGE) - 40)}]`,
        ),
      }),
  ],
  [
    "bytes of frames",
    (random, valid) => ({
      frames: [],
      bytes: mutateBytes(random, Buffer.concat([encodeFrame(valid), encodeFrame(valid)])),
      isUnfinished: true,
    }),
  ],
  [
    "random bytes",
    (random) => ({ frames: [], bytes: random.bytes(random.between(1, 2_000)), isUnfinished: true }),
  ],
  ["nothing", () => unfinished()],
];

function codeOf(code: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(code);
  return bytes;
}

function costly(random: Random, length: number): string {
  const piece = random.pick(COSTLY);
  return piece.repeat(Math.ceil(length / piece.length)).slice(0, length);
}
