/**
 * A client of channels with a history: frames as they are on the wire, with the epoch replaced by E and
 * offsets by their distance from the first one.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";

import { RawWebSocketClient } from "./raw-client.ts";

/** Offset of a topic in which nothing has been kept yet. */
const BASE = 1_000_000_000_000;
const OFFSET = /"(1\d{12})"/g;
const EPOCH = /"epoch":"([0-9a-z]+)"/g;

/** A connection whose frames a test reads one by one. */
export class HistoryClient {
  readonly #client: RawWebSocketClient;
  /** The epoch of the last reply. */
  epoch = "";
  #refs = 0;

  private constructor(client: RawWebSocketClient) {
    this.#client = client;
  }

  static async connect(
    port: number,
    { user = "ann", vsn = "2.0.0", mount = "/socket" } = {},
  ): Promise<HistoryClient> {
    const query = new URLSearchParams({ vsn, user }).toString();
    return new HistoryClient(await RawWebSocketClient.connect(port, query, mount));
  }

  /** Sends a join of a topic, with join_ref and ref 1. */
  async join(topic: string, payload: object): Promise<void> {
    await this.send(JSON.stringify(["1", "1", topic, "phx_join", payload]));
  }

  /** Joins, and returns the response of the ok reply. */
  async joined(topic: string, payload: object): Promise<string> {
    await this.join(topic, payload);
    const frame = await this.next();
    const head = `["1","1",${JSON.stringify(topic)},"phx_reply",{"status":"ok","response":`;
    assert.ok(frame.startsWith(head), `must be joined, got ${frame}`);
    return frame.slice(head.length, -2);
  }

  /** Joins with a position: a number of messages after the first offset. */
  async rejoined(topic: string, epoch: string, at: number, more: object = {}): Promise<string> {
    return this.joined(topic, { history: { epoch, offset: String(BASE + at), ...more } });
  }

  /** Pushes an event without a ref, so that nothing is replied. */
  async push(topic: string, event: string, payload: object = {}): Promise<void> {
    await this.send(JSON.stringify(["1", null, topic, event, payload]));
  }

  /** Pushes an event, and returns the response of its reply, which must be the next frame. */
  async asked(topic: string, event: string, payload: object = {}): Promise<string> {
    this.#refs += 1;
    const ref = `r${this.#refs}`;
    await this.send(JSON.stringify(["1", ref, topic, event, payload]));
    const frame = await this.next();
    const head = `["1","${ref}",${JSON.stringify(topic)},"phx_reply",{"status":"ok","response":`;
    assert.ok(frame.startsWith(head), `must be the reply, got ${frame}`);
    return frame.slice(head.length, -2);
  }

  async send(frame: string): Promise<void> {
    await this.#client.send(frame);
  }

  /** Returns the next frame. */
  async next(): Promise<string> {
    const frame = await this.#client.next();
    for (const [, epoch] of frame.matchAll(EPOCH)) this.epoch = epoch as string;
    return frame
      .replaceAll(EPOCH, '"epoch":E')
      .replaceAll(OFFSET, (_, digits: string) => `+${Number(digits) - BASE}`);
  }

  /** Returns the next frames. */
  async take(count: number): Promise<string[]> {
    const frames: string[] = [];
    while (frames.length < count) frames.push(await this.next());
    return frames;
  }

  /** Returns all frames until the server closes the connection. */
  async rest(): Promise<string[]> {
    const frames: string[] = [];
    await this.#client.closed();
    while (this.#client.unread > 0) frames.push(await this.next());
    return frames;
  }

  /** Checks that no frame is unread: the next one must be the reply to a heartbeat. */
  async nothingMore(): Promise<void> {
    await this.send('[null,"beat","phoenix","heartbeat",{}]');
    const frame = await this.next();
    assert.match(frame, /"beat"/, "something arrived before the heartbeat's reply");
  }

  /** Stops reading. */
  pause(): void {
    this.#client.ws.pause();
  }

  resume(): void {
    this.#client.ws.resume();
  }

  /** Ends the connection without a close frame. */
  cut(): void {
    this.#client.ws.terminate();
  }
}
