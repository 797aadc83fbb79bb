/**
 * A test's implementation of the port through which channels send: records frames, and publishes to all
 * subscribers of a native topic, as an engine does.
 *
 * Runs on: the test's thread.
 */

import type {
  Connection,
  NativeConnection,
  Publisher,
  RoomWaiter,
} from "../../src/channel/connection.ts";

/** The connections of a test's shard by native topic. */
export class RecordingPublisher implements Publisher {
  readonly topics = new Map<string, Set<RecordingConnection>>();
  /** Calls of `publish`, with their arguments about receivers. */
  readonly published: {
    readonly nativeTopic: string;
    readonly receivers: number;
    readonly isCompressed: boolean;
  }[] = [];

  /** Calls of `charge`: receivers and bytes. */
  readonly charged: (readonly [receivers: number, bytes: number])[] = [];

  charge(receivers: number, bytes: number): void {
    this.charged.push([receivers, bytes]);
  }

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

  /** Publishes to all connections but one. */
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

/** A client's connection, and the frames that it was sent. */
export class RecordingConnection implements Connection, NativeConnection {
  readonly id: number;
  readonly transport = "recording";
  readonly native: NativeConnection | undefined;
  readonly isCompressed: boolean;
  readonly #publisher: RecordingPublisher;
  readonly #onClose: (connection: RecordingConnection, code: number) => void;
  #frames: string[] = [];
  #waiters = new Set<RoomWaiter>();
  #room = Infinity;
  isOpen = true;
  /** Bytes of frames that its client has not read. */
  heldBytes = 0;
  /** Whether its client reads. */
  isDeaf = false;
  closeCode: number | undefined;
  /** Number of corked calls. */
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

  /** Whether there is room for a frame. */
  get hasRoom(): boolean {
    return this.#room > 0;
  }

  /** Makes room for a number of frames without notifying anyone yet. */
  gainRoom(frames: number): void {
    this.#room = frames;
  }

  /** Sets the room for frames; if there is any, notifies all that wait for room. */
  setRoom(frames: number): void {
    this.#room = frames;
    if (frames === 0) return;
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const waiter of waiters) waiter.resume();
  }

  awaitRoom(waiter: RoomWaiter): void {
    this.#waiters.add(waiter);
  }

  stopAwaiting(waiter: RoomWaiter): void {
    this.#waiters.delete(waiter);
  }

  /** Number of those that wait for room. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** Takes the frames sent since the last call: text, or `hex ` and the bytes of a binary frame. */
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
    if (this.isDeaf) this.heldBytes += frame.length;
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

  /** Closes as if the client had gone away. Reports the close from within the call, as the engine does. */
  lose(code = 1006): void {
    this.isOpen = false;
    for (const connections of this.#publisher.topics.values()) connections.delete(this);
    this.#onClose(this, code);
  }
}

// Copied, because a view of a ring is shared memory, which TextDecoder does not accept.
function bytesOf(frame: Uint8Array): Buffer {
  return Buffer.from(frame);
}
