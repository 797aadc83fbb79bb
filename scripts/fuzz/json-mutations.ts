/**
 * Mutations of messages as JSON: they stay JSON, and mostly messages, but not what the app expects.
 *
 * Runs on: any thread. Pure.
 */

import type { Random } from "../suites/random.ts";
import type { Version } from "./corpus.ts";

const LONG = 3_000;
const DEEP = 300;

const TOPICS: readonly unknown[] = [
  "room:lobby",
  "room:1",
  "room:private",
  "room:crash",
  "room:slow",
  "exact",
  "presence:1",
  "typed:1",
  "raw:1",
  "phoenix",
  "phx_presence:1",
  "nowhere",
  "room:*",
  "room:",
  "",
  "*",
  "room:\u0000",
  "room:\u{1f600}",
  "room:é",
  "__proto__",
  `room:${"x".repeat(200)}`,
  `room:${"é".repeat(300)}`,
];

const EVENTS: readonly unknown[] = [
  "phx_join",
  "phx_leave",
  "phx_close",
  "phx_error",
  "phx_reply",
  "heartbeat",
  "presence_diff",
  "presence_state",
  "echo",
  "shout",
  "order",
  "verbatim",
  "crash",
  "stop",
  "slow",
  "async_reply",
  "",
  "constructor",
  "__proto__",
  "toString",
  "x".repeat(256),
  "x".repeat(300),
];

const REFS: readonly unknown[] = [
  "1",
  "2",
  "9",
  1,
  1.5,
  null,
  "",
  "\u0000",
  true,
  [],
  {},
  -1,
  1e300,
];

/** Values that code treats differently from what its author had in mind. */
const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  1e308,
  "",
  "0",
  "null",
  "\u0000",
  "\u2028\u2029",
  "\u{1f600}",
  "<script>",
  [],
  {},
  [[]],
  { length: 5 },
  { toJSON: 1 },
  JSON.parse('{"then":1}'),
  { constructor: { prototype: {} } },
  { type: "Buffer", data: [1, 2] },
  { status: "ok", response: {} },
];

const KEYS = ["__proto__", "constructor", "toJSON", "then", "length", "", "x", "n", "topic", "é"];

/** Changes a message's text, which stays JSON of a message. */
export function mutateMessage(random: Random, text: string, version: Version): string {
  const message = JSON.parse(text) as unknown;
  if (version === 2 && Array.isArray(message) && message.length >= 5) {
    mutateFields(random, message, [0, 1, 2, 3, 4]);
  } else if (version === 1 && typeof message === "object" && message !== null) {
    mutateFields(random, message as Record<string, unknown>, [
      "join_ref",
      "ref",
      "topic",
      "event",
      "payload",
    ]);
  }
  const mutated = JSON.stringify(message);
  // JSON.stringify cannot write a key that it finds as a prototype.
  return random.chance(0.02) ? mutated.replace("{", '{"__proto__":{"x":1},') : mutated;
}

type Fields<Key extends string | number> = Record<Key, unknown> | unknown[];

/** Changes one field or a few of a message. The order of keys: join_ref, ref, topic, event, payload. */
function mutateFields<Key extends string | number>(
  random: Random,
  message: Fields<Key>,
  [joinRef, ref, topic, event, payload]: readonly [Key, Key, Key, Key, Key],
): void {
  const fields = message as Record<Key, unknown>;
  for (let times = random.between(1, 3); times > 0; times--) {
    switch (random.below(8)) {
      case 0:
        fields[joinRef] = random.pick(REFS);
        break;
      case 1:
        fields[ref] = random.pick(REFS);
        break;
      case 2:
        fields[topic] = random.pick(TOPICS);
        break;
      case 3:
        fields[event] = random.pick(EVENTS);
        break;
      default:
        fields[payload] = mutateValue(random, fields[payload], 0);
    }
  }
}

/** Returns a changed value. */
export function mutateValue(random: Random, value: unknown, depth: number): unknown {
  if (depth < 4 && Array.isArray(value) && value.length > 0 && random.chance(0.8)) {
    return mutateArray(random, value as unknown[], depth);
  }
  if (depth < 4 && typeof value === "object" && value !== null && random.chance(0.8)) {
    return mutateObject(random, value as Record<string, unknown>, depth);
  }
  return newValue(random);
}

function mutateArray(random: Random, list: unknown[], depth: number): unknown[] {
  const at = random.below(list.length);
  switch (random.below(4)) {
    case 0:
      return list.toSpliced(at, 1);
    case 1:
      return list.toSpliced(at, 0, list[at]);
    case 2:
      return [...list, ...Array.from({ length: random.between(1, 20) }, () => newValue(random))];
    default:
      return list.with(at, mutateValue(random, list[at], depth + 1));
  }
}

function mutateObject(
  random: Random,
  object: Record<string, unknown>,
  depth: number,
): Record<string, unknown> {
  const keys = Object.keys(object);
  if (keys.length === 0 || random.chance(0.4)) {
    return { ...object, [random.pick(KEYS)]: newValue(random) };
  }
  const key = random.pick(keys);
  if (random.chance(0.3)) {
    const { [key]: _removed, ...rest } = object;
    return rest;
  }
  return { ...object, [key]: mutateValue(random, object[key], depth + 1) };
}

function newValue(random: Random): unknown {
  const dice = random.below(100);
  if (dice < 90) return random.pick(VALUES);
  if (dice < 94) return "x".repeat(random.below(LONG));
  if (dice < 97) return Array.from({ length: random.below(LONG / 10) }, () => ({}));
  return nested(random.below(DEEP), random.chance(0.5));
}

function nested(depth: number, isArray: boolean): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = isArray ? [value] : { a: value };
  return value;
}
