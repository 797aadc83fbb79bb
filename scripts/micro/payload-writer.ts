/**
 * `node dist/scripts/micro/payload-writer.js`: compares the time to write payloads with a compiled
 * JSON Schema and with JSON.stringify, up to the bytes of a frame.
 *
 * Both take turns, so that other activity on the machine affects both. Shows medians of the turns.
 *
 * Runs on: node, after a build.
 */

import { payloadWriter } from "../../src/channel/schemas/payload-writer.ts";
import { jsonOf } from "../../src/protocol/json-text.ts";
import { median } from "../bench/comparison.ts";

const TURNS = 9;
const TURN_MS = 60;

const STRING = { type: "string" };
const NUMBER = { type: "number" };
const INTEGER = { type: "integer" };

function closed(properties: object): object {
  return {
    type: "object",
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  };
}

function listOf(items: object): object {
  return { type: "array", items };
}

const CASES: readonly (readonly [name: string, schema: object, payload: object])[] = [
  [
    "a message: text, name, time",
    closed({ body: STRING, from: STRING, at: INTEGER }),
    { body: "Hello there, how are you today?", from: "ann", at: 1_732_450_000_123 },
  ],
  ["a cursor: two numbers", closed({ x: NUMBER, y: NUMBER }), { x: 102.5, y: 33.25 }],
  [
    "nested four deep",
    closed({ a: closed({ b: closed({ c: closed({ d: STRING, e: NUMBER }) }) }) }),
    { a: { b: { c: { d: "x", e: 3.5 } } } },
  ],
  ["2 KB of text", closed({ body: STRING }), { body: "lorem ipsum dolor ".repeat(115) }],
  [
    "20 objects of three",
    closed({ items: listOf(closed({ id: INTEGER, name: STRING, price: NUMBER })) }),
    { items: Array.from({ length: 20 }, (_, id) => ({ id, name: `item ${id}`, price: id * 1.5 })) },
  ],
  [
    "20 short texts",
    closed({ names: listOf(STRING) }),
    { names: Array.from({ length: 20 }, (_, at) => `user number ${at}`) },
  ],
  [
    "100 numbers",
    closed({ values: listOf(NUMBER) }),
    { values: Array.from({ length: 100 }, (_, at) => at * 1.1) },
  ],
];

const frame = Buffer.allocUnsafe(65_536);

/** Measures the nanoseconds of one write. */
function measure(write: () => string): number {
  const startedMs = performance.now();
  let count = 0;
  while (performance.now() - startedMs < TURN_MS) {
    for (let at = 0; at < 500; at += 1) frame.write(write(), 0, "utf8");
    count += 500;
  }
  return ((performance.now() - startedMs) * 1e6) / count;
}

console.log("| Payload | JSON.stringify | compiled | |\n| --- | ---: | ---: | ---: |");
for (const [name, schema, payload] of CASES) {
  const write = payloadWriter(name, schema);
  if (!write) throw new Error(`${name} must have a schema that can be compiled`);
  const ways = [(): string => jsonOf(payload), (): string => jsonOf(write(payload))] as const;
  if (ways[0]() !== ways[1]()) throw new Error(`${name} must have the same output in both ways`);
  const taken: [number[], number[]] = [[], []];
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const at of [0, 1] as const) taken[at].push(measure(ways[at]));
  }
  const [json, compiled] = taken.map(median) as [number, number];
  const ratio = (json / compiled).toFixed(1);
  console.log(`| ${name} | ${json.toFixed(0)} ns | ${compiled.toFixed(0)} ns | ${ratio}x |`);
}
