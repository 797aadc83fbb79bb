/**
 * Valid traffic to mutate: what clients of the recorded Phoenix sent, and messages for features that
 * the recordings do not have.
 *
 * Runs on: the fuzzer's process, once.
 */

import {
  readTranscript,
  transcriptNames,
  type Act,
  type Scenario,
} from "../../test/conformance/scenario.ts";
import { jsonV1, jsonV2 } from "../../src/raw.ts";
import { OPCODE } from "../suites/frames.ts";

/** A protocol version. */
export type Version = 1 | 2;

/** A message or control frame of a client. */
export interface SentFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** The traffic. */
export interface Corpus {
  /** What one connection sent, in order, by protocol version. */
  readonly sequences: Readonly<Record<Version, readonly (readonly SentFrame[])[]>>;
  /** Single text messages, by protocol version. */
  readonly texts: Readonly<Record<Version, readonly string[]>>;
  readonly binaries: readonly Buffer[];
  /** Bodies of long-poll requests. */
  readonly bodies: readonly Buffer[];
  /** Paths and queries of requests and handshakes. */
  readonly targets: readonly string[];
}

/** Longer messages would make most of the bytes, and reach nothing more. */
const MAX_BYTES = 4_096;

/** Messages for features that the recordings do not have. */
const OWN_V2 = [
  '["9","1","typed:1","phx_join",{}]',
  '["9","2","typed:1","point",{"x":1,"y":2}]',
  '["9","3","typed:1","point",{"x":1,"y":2,"tags":["a","b"],"secret":1}]',
  '["9","4","typed:1","point",{"x":"1","y":null}]',
  '["9","5","typed:1","shape",{"name":"s","points":[{"x":1,"y":2},{"x":3,"y":4}]}]',
  '["8","1","raw:1","phx_join",{}]',
  '["8","2","raw:1","anything",{"a":[1,2,{"b":null}]}]',
  '["8","3","raw:1","crash",{}]',
  '["8","4","raw:1","phx_leave",{}]',
  '["7","1","room:v","phx_join",{}]',
  '["7","2","room:v","verbatim",{"a":"\\u2028\\ud83d\\ude00","b":[1e5,-0,true]}]',
  '["7","3","room:v","subscribe",{"topic":"room:w"}]',
  '["7","4","room:v","order",{"n":19}]',
  '["7","5","room:v","phx_join",{}]',
  '["7","6","room:v","phx_leave",{}]',
  '["6","1","presence:1","phx_join",{"device":"phone"}]',
  '["6","2","presence:1","update",{"device":"desk"}]',
  '["6","3","presence:1","list",{}]',
  '["6","4","presence:1","untrack",{}]',
  '[null,"1","phoenix","heartbeat",{}]',
];

/** Reports whether a connection survives a frame: whether it is a control frame or a message. */
export function isMessage(version: Version, { opcode, payload }: SentFrame): boolean {
  const serializer = version === 1 ? jsonV1 : jsonV2;
  if (opcode === OPCODE.text) return serializer.decode(payload.toString()) !== undefined;
  if (opcode === OPCODE.binary) return serializer.decodeBytes(payload) !== undefined;
  return true;
}

/** Reads the corpus. */
export function readCorpus(): Corpus {
  const scenarios = transcriptNames().flatMap((name) => readTranscript(name));
  const sequences: { [Key in Version]: SentFrame[][] } = { 1: [], 2: [] };
  for (const scenario of scenarios) {
    for (const [version, sequence] of sequencesOf(scenario)) {
      const alive = sequence.filter((frame) => isMessage(version, frame));
      if (alive.length > 0) sequences[version].push(alive);
    }
  }
  sequences[2].push(OWN_V2.map((text) => ({ opcode: OPCODE.text, payload: Buffer.from(text) })));
  const acts = scenarios.flatMap(actsOf);
  return {
    sequences,
    texts: { 1: textsIn(sequences[1]), 2: textsIn(sequences[2]) },
    binaries: sequences[2]
      .flat()
      .flatMap(({ opcode, payload }) => (opcode === OPCODE.binary ? [payload] : [])),
    bodies: acts.flatMap((act) =>
      act.kind === "http" && act.body.length > 0 && act.body.length <= MAX_BYTES
        ? [Buffer.from(act.body)]
        : [],
    ),
    targets: [...new Set(acts.flatMap(targetOf))],
  };
}

function actsOf({ steps }: Scenario): readonly Act[] {
  return steps.flatMap((step) => ("act" in step ? [step.act] : []));
}

function targetOf(act: Act): readonly string[] {
  if (act.kind === "open") return [act.path];
  if (act.kind === "http") return [act.target.split(" ").at(-1) ?? "/"];
  return [];
}

/** Returns what each connection of a scenario sent. */
function sequencesOf({ steps }: Scenario): readonly (readonly [Version, SentFrame[]])[] {
  const byConnection = new Map<string, [Version, SentFrame[]]>();
  for (const step of steps) {
    if (!("act" in step)) continue;
    const { conn, act } = step;
    if (act.kind === "open" || act.kind === "raw") {
      const text = act.kind === "open" ? act.path : act.request;
      byConnection.set(conn, [text.includes("vsn=2") ? 2 : 1, []]);
      continue;
    }
    const frame = frameOf(act);
    if (frame !== undefined && frame.payload.length <= MAX_BYTES) {
      byConnection.get(conn)?.[1].push(frame);
    }
  }
  return [...byConnection.values()].filter(([, sequence]) => sequence.length > 0);
}

function frameOf(act: Act): SentFrame | undefined {
  switch (act.kind) {
    case "text":
      return { opcode: OPCODE.text, payload: Buffer.from(act.text) };
    case "binary":
    case "ping":
    case "pong":
      return { opcode: OPCODE[act.kind], payload: Buffer.from(act.bytes) };
    default:
      // Frames that break the protocol are made by the fuzzer itself.
      return undefined;
  }
}

function textsIn(sequences: readonly (readonly SentFrame[])[]): readonly string[] {
  const texts = sequences
    .flat()
    .flatMap(({ opcode, payload }) => (opcode === OPCODE.text ? [payload.toString()] : []));
  return [...new Set(texts)];
}
