/**
 * One connection of the fuzzer over WebSocket, from its handshake to its end.
 *
 * Between the mutated messages it sends numbered requests on a topic of its own, and checks that
 * each is answered once and in order, until it breaks the connection. After that, the server must
 * answer or close.
 *
 * Runs on: the fuzzer's process.
 */

import { FrameReader, OPCODE, textFrame, upgradeRequest } from "../suites/frames.ts";
import type { Random } from "../suites/random.ts";
import type { Corpus, Version } from "./corpus.ts";
import { FrameMaker } from "./frame-maker.ts";
import { LifeSocket, type Life, type LifeResult } from "./life.ts";

const MAX_BATCHES = 12;
const FRAMES_PER_BATCH = 60;
/** How long a connection is kept that the server may rightly leave open. */
const UNFINISHED_MS = 20;
const SWITCHING = "HTTP/1.1 101";
const HEAD_END = "\r\n\r\n";

/** The mounts, and how often each is used. */
const MOUNTS = ["/socket", "/socket", "/socket", "/socket", "/deflate", "/serial"];
const QUERIES = [
  "",
  "",
  "",
  "&user_id=1",
  "&late=1",
  "&user_id=%F0%9F%98%80",
  "&a[b][]=1&a[b][]=2&a[c]=",
  "&user_id[]=1",
];

/** Makes the life of a number. */
export function makeWebSocketLife(random: Random, corpus: Corpus, number: number): Life {
  const version: Version = random.chance(0.2) ? 1 : 2;
  const mount = random.pick(MOUNTS);
  const isDeflated = mount === "/deflate";
  const lobby = random.chance(0.8) ? `room:own${number}` : undefined;
  const maker = new FrameMaker(random, corpus, { version, isDeflated, lobby });
  const query = `?vsn=${version}.0.0${random.pick(QUERIES)}`;
  const request = upgradeRequest(`${mount}/websocket${query}`, isDeflated ? DEFLATE : "");
  const batches = random.chance(0.5) ? 1 : random.between(1, MAX_BATCHES);
  return {
    run: (port, count) => {
      const connection = new Connection({ port, number, version, request, count });
      return connection.live(random, maker, batches);
    },
  };
}

const DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n";

interface ConnectionOptions {
  readonly port: number;
  readonly number: number;
  readonly version: Version;
  readonly request: string;
  readonly count: (frames: number) => void;
}

class Connection {
  readonly #socket: LifeSocket;
  readonly #version: Version;
  readonly #count: (frames: number) => void;
  readonly #reader = new FrameReader((opcode, payload) => this.#onFrame(opcode, payload));
  #head: string | undefined = "";
  #asked = 0;
  #answered = 0;
  #isJoined = false;
  #fault: string | undefined = undefined;

  constructor({ port, number, version, request, count }: ConnectionOptions) {
    this.#version = version;
    this.#count = count;
    this.#socket = new LifeSocket(port, number, (chunk) => this.#onData(chunk));
    this.#socket.write(request);
  }

  live(random: Random, maker: FrameMaker, batches: number): Promise<LifeResult> {
    return this.#socket.during(random, () => this.#liveAll(random, maker, batches));
  }

  async #liveAll(random: Random, maker: FrameMaker, batches: number): Promise<LifeResult> {
    await this.#socket.until(
      () => this.#head === undefined || this.#socket.isClosed,
      "the handshake's answer",
    );
    // A refused handshake was answered.
    if (this.#socket.isClosed) return this.#fault;
    this.#write([textFrame(this.#join())], 1);
    for (let left = batches; left > 0; left--) {
      this.#writeBatch(random, maker);
      await this.#socket.until(() => this.#isSettled, `the answer to request ${this.#asked}`);
      if (this.#socket.isClosed || this.#fault !== undefined) return this.#fault;
    }
    const { name, bytes, frames, isUnfinished } = maker.makeBreaker();
    this.#asked += 1;
    for (const piece of pieces(random, bytes)) this.#write([piece], 0);
    this.#write([textFrame(this.#ask())], frames + 1);
    if (isUnfinished) {
      await this.#socket.untilOr(() => this.#isSettled, UNFINISHED_MS);
      return this.#fault;
    }
    await this.#socket.until(() => this.#isSettled, `an answer or a close after "${name}"`);
    return this.#fault;
  }

  get #isSettled(): boolean {
    return this.#socket.isClosed || this.#fault !== undefined || this.#answered === this.#asked;
  }

  #writeBatch(random: Random, maker: FrameMaker): void {
    const written: Buffer[] = [];
    let frames = 1;
    for (let left = random.between(1, FRAMES_PER_BATCH); left > 0; left--) {
      const made = maker.make();
      written.push(made.bytes);
      frames += made.frames;
    }
    this.#asked += 1;
    written.push(textFrame(this.#ask()));
    this.#write(written, frames);
  }

  #write(parts: readonly Buffer[], frames: number): void {
    this.#socket.write(Buffer.concat(parts));
    this.#count(frames);
  }

  #join(): string {
    return this.#version === 2
      ? '["e","0","echo:1","phx_join",{}]'
      : '{"topic":"echo:1","event":"phx_join","payload":{},"ref":"0"}';
  }

  #ask(): string {
    const n = this.#asked;
    return this.#version === 2
      ? `["e","${n}","echo:1","echo",{"n":${n}}]`
      : `{"topic":"echo:1","event":"echo","payload":{"n":${n}},"ref":"${n}"}`;
  }

  #onData(chunk: Buffer): void {
    if (this.#head === undefined) return this.#read(chunk);
    this.#head += chunk.toString("latin1");
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) return undefined;
    if (!this.#head.startsWith(SWITCHING)) {
      this.#fault = this.#head.startsWith("HTTP/1.1 ") ? undefined : `answered ${this.#head}`;
      this.#socket.close();
      return undefined;
    }
    const frames = Buffer.from(this.#head.slice(end + HEAD_END.length), "latin1");
    this.#head = undefined;
    return this.#read(frames);
  }

  #read(chunk: Buffer): void {
    this.#reader.read(chunk);
    if (this.#reader.fault !== undefined) this.#fail(this.#reader.fault);
  }

  /** Looks only at answers on the topic of the checks. */
  #onFrame(opcode: number, payload: Buffer): void {
    if (opcode !== OPCODE.text) return;
    const prefix = this.#version === 2 ? '["e","' : '{"topic":"echo:1"';
    if (payload.length < prefix.length || payload.toString("latin1", 0, prefix.length) !== prefix)
      return;
    const number = this.#isJoined ? this.#answered + 1 : 0;
    const response = this.#isJoined ? { n: number } : {};
    const expected = { status: "ok", response };
    const message = JSON.parse(payload.toString()) as unknown;
    const [ref, event, got] = this.#version === 2 ? fieldsOfV2(message) : fieldsOfV1(message);
    if (ref !== String(number) || event !== "phx_reply" || !isSame(got, expected)) {
      return this.#fail(`got ${payload.toString()} instead of the answer to ${number}`);
    }
    if (this.#isJoined) this.#answered = number;
    this.#isJoined = true;
    return undefined;
  }

  #fail(fault: string): void {
    this.#fault ??= fault.slice(0, 500);
  }
}

function fieldsOfV2(message: unknown): readonly unknown[] {
  const [, ref, , event, payload] = message as readonly unknown[];
  return [ref, event, payload];
}

function fieldsOfV1(message: unknown): readonly unknown[] {
  const { ref, event, payload } = message as Readonly<Record<string, unknown>>;
  return [ref, event, payload];
}

function isSame(got: unknown, expected: unknown): boolean {
  const { status, response } = got as { status?: unknown; response?: unknown };
  const wanted = expected as { status: unknown; response: unknown };
  return status === wanted.status && JSON.stringify(response) === JSON.stringify(wanted.response);
}

/** Splits bytes, so that frames arrive in several packets. */
function pieces(random: Random, bytes: Buffer): readonly Buffer[] {
  const at = random.below(bytes.length + 1);
  return [bytes.subarray(0, at), bytes.subarray(at)];
}
