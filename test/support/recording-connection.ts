/**
 * The test's end of the port that channels send through: it records frames, and publishes as an
 * engine does, to all that have a native topic.
 *
 * Runs on: the test's thread.
 */

import type {
  Connection,
  NativeConnection,
  Publisher,
  RoomWaiter,
} from "../../src/channel/connection.ts";

/** The connections of a test's shard, by native topic. */
export class RecordingPublisher implements Publisher {
  readonly topics = new Map<string, Set<RecordingConnection>>();
  /** Calls of `publish` with what they said of their receivers. */
  readonly published: {
    readonly nativeTopic: string;
    readonly receivers: number;
    readonly isCompressed: boolean;
  }[] = [];

  publish(
    nativeTopic: string,
    frame: Uint8Array,
    isBinary: boolean,
    receivers: number,
    isCompressed: boolean,
  ): void {
    this.published.push({ nativeTopic, receivers, isCompressed });
    this.deliver(nativeTopic, { frame, isBinary }, undefined);
  }

  /** Publishes to all but one. */
  deliver(
    nativeTopic: string,
    { frame, isBinary }: { readonly frame: Uint8Array; readonly isBinary: boolean },
    but: RecordingConnection | undefined,
  ): void {
    for (const connection of this.topics.get(nativeTopic) ?? []) {
      if (connection !== but) connection.sendEncoded(frame, isBinary);
    }
  }
}

/** One client's connection, and what it was sent. */
export class RecordingConnection implements Connection, NativeConnection {
  readonly id: number;
  readonly transport = "recording";
  readonly native: NativeConnection | undefined;
  readonly isCompressed: boolean;
  readonly #publisher: RecordingPublisher;
  readonly #onClose: (connection: RecordingConnection, code: number) => void;
  #frames: string[] = [];
  #waiters: RoomWaiter[] = [];
  #room = Infinity;
  isOpen = true;
  closeCode: number | undefined;
  /** How often work was corked. */
  corks = 0;

  constructor(
    id: number,
    publisher: RecordingPublisher,
    kind: { readonly isNative: boolean; readonly isCompressed: boolean },
    onClose: (connection: RecordingConnection, code: number) => void,
  ) {
    this.id = id;
    this.#publisher = publisher;
    this.native = kind.isNative ? this : undefined;
    this.isCompressed = kind.isCompressed;
    this.#onClose = onClose;
  }

  /** True while there is room for a frame. */
  get hasRoom(): boolean {
    return this.#room > 0;
  }

  /** Gives it room for so many frames, of which nobody is told yet. */
  gainRoom(frames: number): void {
    this.#room = frames;
  }

  /** Says for how many frames there is room; where there is for some, all who wait are told. */
  setRoom(frames: number): void {
    this.#room = frames;
    if (frames === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.resume();
  }

  awaitRoom(waiter: RoomWaiter): void {
    this.#waiters.push(waiter);
  }

  /** Takes the frames that were sent since the last call: text, or `hex ` and a binary frame. */
  taken(): string[] {
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }

  send(frame: string | Uint8Array): void {
    this.#record(frame, typeof frame !== "string");
  }

  sendEncoded(payload: Uint8Array, isBinary: boolean): void {
    this.#record(payload, isBinary);
  }

  #record(frame: string | Uint8Array, isBinary: boolean): void {
    this.#room -= 1;
    if (!this.isOpen) return;
    if (typeof frame === "string") this.#frames.push(frame);
    else
      this.#frames.push(
        isBinary ? `hex ${bytesOf(frame).toString("hex")}` : bytesOf(frame).toString(),
      );
  }

  ping(data: string | Uint8Array): void {
    this.send(`ping ${bytesOf(Buffer.from(data)).toString()}`);
  }

  subscribe(nativeTopic: string): void {
    if (!this.isOpen) return;
    const { topics } = this.#publisher;
    topics.set(nativeTopic, (topics.get(nativeTopic) ?? new Set()).add(this));
  }

  unsubscribe(nativeTopic: string): void {
    this.#publisher.topics.get(nativeTopic)?.delete(this);
  }

  publish(nativeTopic: string, frame: Uint8Array, isBinary: boolean, receivers: number): void {
    if (!this.isOpen) return;
    const { published } = this.#publisher;
    published.push({ nativeTopic, receivers, isCompressed: this.isCompressed });
    this.#publisher.deliver(nativeTopic, { frame, isBinary }, this);
  }

  cork(work: () => void): void {
    this.corks += 1;
    work();
  }

  close(code: number): void {
    if (!this.isOpen) return;
    this.closeCode = code;
    this.lose(code);
  }

  /** The client goes away. As the engine does, it tells of the close from within. */
  lose(code = 1006): void {
    this.isOpen = false;
    for (const connections of this.#publisher.topics.values()) connections.delete(this);
    this.#onClose(this, code);
  }
}

// A view on a ring may be shared memory, which TextDecoder does not take.
function bytesOf(frame: Uint8Array): Buffer {
  return Buffer.from(frame);
}
