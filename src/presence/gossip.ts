/**
 * Messages between replicas, as payloads of broadcasts on reserved topics.
 *
 *   event      payload
 *   delta      from, spans, rows, clock    changes made by `from`. The last of several parts
 *                                          contains its clock: by then, the receiver must have seen
 *                                          all changes up to that tick. Without spans, the message
 *                                          is a heartbeat
 *   request    from, clock, clocks         how much `from` has seen of each replica that it knows.
 *                                          A replica that has made more changes sends them; a
 *                                          replica that is not listed sends everything
 *   permdown   from, gone                  a replica that will not return
 *
 *   topic                                  received by
 *   phx_presence:<name>                    all replicas
 *   phx_presence:<name>:<member>@<node>    one replica
 *
 * The server does not allow users to join these topics or broadcast to them (`protocol/reserved`).
 *
 * Runs on: shard. Pure.
 */

import { frozen } from "./meta.ts";
import {
  replicaId,
  type Delta,
  type DeltaRow,
  type Meta,
  type ReplicaRef,
  type Span,
} from "./replica.ts";

/** Event names of the messages. */
export const GOSSIP = { delta: "delta", request: "request", permdown: "permdown" } as const;

/** Fields common to all messages. */
interface Message {
  readonly from: ReplicaRef;
}

/** A message with changes made by a replica. */
export interface DeltaMessage extends Message {
  readonly delta: Delta;
  /** The sender's clock; undefined if more parts follow. */
  readonly clock: number | undefined;
}

/** A message that says what a replica has seen, and requests the rest. */
export interface RequestMessage extends Message {
  readonly clock: number;
  readonly clocks: readonly Clock[];
}

/** A message that says that a replica will not return. */
export interface PermdownMessage extends Message {
  readonly gone: ReplicaRef;
}

/** The tick up to which all changes of a replica have been seen. */
export interface Clock {
  readonly ref: ReplicaRef;
  readonly through: number;
}

/** Version of the message format. Messages with another version cannot be read. */
const VERSION = 1;

/** Returns the topic that all replicas of a presence subscribe to. */
export function gossipTopic(name: string): string {
  return `phx_presence:${name}`;
}

/** Returns the topic that a single replica of a presence subscribes to. */
export function inboxTopic(name: string, ref: Omit<ReplicaRef, "incarnation">): string {
  return `phx_presence:${name}:${replicaId(ref)}`;
}

export function packDelta(from: ReplicaRef, delta: Delta, clock: number | undefined): object {
  const rows = delta.rows.map(({ dot, topic, key, meta }) => [dot, topic, key, meta]);
  return { v: VERSION, from: packRef(from), spans: delta.spans, rows, clock };
}

export function packRequest(from: ReplicaRef, clock: number, clocks: readonly Clock[]): object {
  const packed = clocks.map(({ ref, through }) => [...packRef(ref), through]);
  return { v: VERSION, from: packRef(from), clock, clocks: packed };
}

export function packPermdown(from: ReplicaRef, gone: ReplicaRef): object {
  return { v: VERSION, from: packRef(from), gone: packRef(gone) };
}

/** Parses the payload of a delta. @throws if the payload is malformed */
export function unpackDelta(payload: unknown): DeltaMessage {
  const { from, spans, rows, clock } = fieldsOf(payload);
  return {
    from: refOf(from),
    delta: { spans: listOf(spans).map(spanOf), rows: listOf(rows).map(rowOf) },
    clock: clock === undefined ? undefined : numberOf(clock),
  };
}

/** Parses the payload of a request. @throws if the payload is malformed */
export function unpackRequest(payload: unknown): RequestMessage {
  const { from, clock, clocks } = fieldsOf(payload);
  return {
    from: refOf(from),
    clock: numberOf(clock),
    clocks: listOf(clocks).map((one) => ({ ref: refOf(one), through: numberOf(listOf(one)[3]) })),
  };
}

/** Parses the payload of a permdown. @throws if the payload is malformed */
export function unpackPermdown(payload: unknown): PermdownMessage {
  const { from, gone } = fieldsOf(payload);
  return { from: refOf(from), gone: refOf(gone) };
}

function packRef({ node, member, incarnation }: ReplicaRef): [string, number, number] {
  return [node, member, incarnation];
}

function fieldsOf(payload: unknown): Readonly<Record<string, unknown>> {
  const fields = Object(payload) as Readonly<Record<string, unknown>>;
  if (fields["v"] === VERSION) return fields;
  throw malformed(`version ${VERSION}`, fields["v"]);
}

function refOf(value: unknown): ReplicaRef {
  const [node, member, incarnation] = listOf(value);
  return { node: textOf(node), member: numberOf(member), incarnation: numberOf(incarnation) };
}

function spanOf(value: unknown): Span {
  const [after, to] = listOf(value);
  return [numberOf(after), numberOf(to)];
}

function rowOf(value: unknown): DeltaRow {
  const [dot, topic, key, meta] = listOf(value);
  const { phx_ref: phxRef } = Object(meta) as Partial<Meta>;
  textOf(phxRef);
  const fields = { dot: numberOf(dot), topic: textOf(topic), key: textOf(key) };
  return { ...fields, meta: frozen(meta) as Meta };
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  throw malformed("a list", value);
}

function numberOf(value: unknown): number {
  if (typeof value === "number") return value;
  throw malformed("a number", value);
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  throw malformed("a string", value);
}

function malformed(wanted: string, got: unknown): Error {
  return new TypeError(`a message between replicas must have ${wanted}, got ${String(got)}`);
}
