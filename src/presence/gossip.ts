/**
 * What replicas tell each other, as payloads of broadcasts on topics of their own.
 *
 *   event      payload
 *   delta      from, spans, rows, clock    what `from` did; the last of several parts has its clock,
 *                                          up to which the other now must have seen everything.
 *                                          Without spans it is a sign of life
 *   request    from, clock, clocks         how far `from` has seen each that it knows: a replica
 *                                          that has done more sends it, one that is not named
 *                                          sends everything
 *   permdown   from, gone                  a replica that will not come back
 *
 *   topic                                  heard by
 *   phx_presence:<name>                    all replicas
 *   phx_presence:<name>:<member>@<node>    one replica
 *
 * The server refuses joins and broadcasts of users on such topics (`protocol/reserved`).
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

/** Names of the messages. */
export const GOSSIP = { delta: "delta", request: "request", permdown: "permdown" } as const;

/** Fields of every message. */
interface Message {
  readonly from: ReplicaRef;
}

/** What a replica did. */
export interface DeltaMessage extends Message {
  readonly delta: Delta;
  /** Clock of the sender; undefined: more parts follow. */
  readonly clock: number | undefined;
}

/** What a replica has seen. */
export interface RequestMessage extends Message {
  readonly clock: number;
  readonly clocks: readonly Clock[];
}

/** A replica that will not come back. */
export interface PermdownMessage extends Message {
  readonly gone: ReplicaRef;
}

/** How far a replica was seen. */
export interface Clock {
  readonly ref: ReplicaRef;
  readonly through: number;
}

/** Form of these messages. One with another number is of a version that this one does not know. */
const VERSION = 1;

/** Returns the topic that all replicas of a presence hear. */
export function gossipTopic(name: string): string {
  return `phx_presence:${name}`;
}

/** Returns the topic that one replica of a presence hears. */
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

/** Reads the payload of a delta. @throws if it has another form */
export function unpackDelta(payload: unknown): DeltaMessage {
  const { from, spans, rows, clock } = fieldsOf(payload);
  return {
    from: refOf(from),
    delta: { spans: listOf(spans).map(spanOf), rows: listOf(rows).map(rowOf) },
    clock: clock === undefined ? undefined : numberOf(clock),
  };
}

/** Reads the payload of a request. @throws if it has another form */
export function unpackRequest(payload: unknown): RequestMessage {
  const { from, clock, clocks } = fieldsOf(payload);
  return {
    from: refOf(from),
    clock: numberOf(clock),
    clocks: listOf(clocks).map((one) => ({ ref: refOf(one), through: numberOf(listOf(one)[3]) })),
  };
}

/** Reads the payload of a permdown. @throws if it has another form */
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
  throw malformed("a text", value);
}

function malformed(wanted: string, got: unknown): Error {
  return new TypeError(`what a replica says must have ${wanted} there, got ${String(got)}`);
}
