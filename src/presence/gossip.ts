/**
 * Messages between replicas, as payloads of broadcasts on reserved topics.
 *
 *   event      payload
 *   delta      from, spans, rows, clock    changes of `from`. The last of several parts has its clock:
 *                                          the receiver should then have seen everything up to it.
 *                                          Without spans it is a heartbeat
 *   request    from, clock, clocks         how far `from` has seen each replica that it knows. A
 *                                          replica that has done more answers with that; one that
 *                                          is not named answers with everything
 *   permdown   from, gone                  `gone` will not come back
 *
 *   topic                                  subscribers
 *   phx_presence:<name>                    all replicas
 *   phx_presence:<name>:<member>@<node>    one replica
 *
 * The server refuses joins and broadcasts of user code on these topics (`protocol/reserved`).
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

/** Changes of a replica. */
export interface DeltaMessage extends Message {
  readonly delta: Delta;
  /** Clock of the sender; undefined: more parts follow. */
  readonly clock: number | undefined;
}

/** A request of a replica, with what it has seen. */
export interface RequestMessage extends Message {
  readonly clock: number;
  readonly clocks: readonly Clock[];
}

/** The report that a replica will not come back. */
export interface PermdownMessage extends Message {
  readonly gone: ReplicaRef;
}

/** How far the clock of a replica was seen. */
export interface Clock {
  readonly ref: ReplicaRef;
  readonly through: number;
}

/** Version of these messages. Messages of another version are not understood. */
const VERSION = 1;

/** Returns the topic that all replicas of a presence subscribe to. */
export function gossipTopic(name: string): string {
  return `phx_presence:${name}`;
}

/** Returns the topic that one replica of a presence subscribes to. */
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

/** Decodes the payload of a delta. @throws if it is malformed */
export function unpackDelta(payload: unknown): DeltaMessage {
  const { from, spans, rows, clock } = fieldsOf(payload);
  return {
    from: refOf(from),
    delta: { spans: listOf(spans).map(spanOf), rows: listOf(rows).map(rowOf) },
    clock: clock === undefined ? undefined : numberOf(clock),
  };
}

/** Decodes the payload of a request. @throws if it is malformed */
export function unpackRequest(payload: unknown): RequestMessage {
  const { from, clock, clocks } = fieldsOf(payload);
  return {
    from: refOf(from),
    clock: numberOf(clock),
    clocks: listOf(clocks).map((one) => ({ ref: refOf(one), through: numberOf(listOf(one)[3]) })),
  };
}

/** Decodes the payload of a permdown. @throws if it is malformed */
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
