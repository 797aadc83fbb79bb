/**
 * No message within the default limits holds its shard for more than 50 ms: it is parsed, handled, and written back.
 *
 * On a machine that is busy or slow, where to parse and write its payload alone takes more than half of that, the limit
 * is twice that time.
 *
 * Runs on: the test's thread, whose heap has the young generation of a shard by default.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { reply } from "../../src/callbacks/results.ts";
import { OPTIONS } from "../../src/options/options.ts";
import { channel, World, type ConnectOptions } from "../support/world.ts";

const MOST_MS = 50;
/** A message is measured until it takes less than the limit once. */
const MOST_TRIES = 30;
const { maxFrameBytes, maxJsonDepth, maxTopicBytes, maxEventBytes } = OPTIONS;
const BYTES = maxFrameBytes.default;
const LEVELS = maxJsonDepth.default - 8;
/** Texts of this length may be nested to any depth. */
const UNSCANNED_CHARACTERS = 4_096;

/**
 * Measures what work takes (ms): the time that passes or the CPU time, whichever is less. The CPU time does not include the
 * time that others had the core, but that of V8's helpers.
 */
function spentMs(work: () => void): number {
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(startedCpu);
  return Math.min(performance.now() - startedMs, (user + system) / 1_000);
}

/** Repeats a value until the list has as many characters as a frame may have. */
function listOf(value: string, characters = BYTES - 1_000): string {
  return `[${`${value},`.repeat(Math.floor((characters - value.length) / (value.length + 1)))}${value}]`;
}

function nested(open: string, close: string, levels: number, inner = ""): string {
  return open.repeat(levels) + inner + close.repeat(levels);
}

/** An object with as many short keys as fit, none twice. */
function keys(): string {
  const pairs: string[] = [];
  for (let n = 0, length = 0; length < BYTES - 2_000; n += 1) {
    const pair = `"${n.toString(36)}":0`;
    length += pair.length + 1;
    pairs.push(pair);
  }
  return `{${pairs.join(",")}}`;
}

const PAYLOADS: Readonly<Record<string, string>> = {
  "empty objects": listOf("{}"),
  "empty lists": listOf("[]"),
  "objects with a key": listOf('{"a":0}'),
  "objects with keys of their own": `[${Array.from({ length: 20_000 }, (_, n) => `{"${n.toString(36)}":0}`).join(",")}]`,
  "an object with many keys": keys(),
  "an object with indices as keys": `{${Array.from({ length: 16_000 }, (_, n) => `"${n * 100_003}":0`).join(",")}}`,
  "a key many times": listOf('{"a":0,"a":0,"a":0,"a":0}'),
  "__proto__ as a key": listOf('{"__proto__":{}}'),
  "short numbers": listOf("0"),
  "long numbers": listOf("1.7976931348623157e308"),
  "numbers with many digits": listOf(`0.${"1".repeat(1_000)}`),
  "short texts": listOf('""'),
  "a long text": `"${"x".repeat(BYTES - 1_000)}"`,
  "a text of escapes": `"${String.raw`\u0000`.repeat((BYTES - 1_000) / 6)}"`,
  "a text of quotes": `"${String.raw`\"`.repeat((BYTES - 1_000) / 2)}"`,
  "a text of surrogates": `"${String.raw`\ud83d\ude42`.repeat((BYTES - 1_000) / 12)}"`,
  "white space": `[${" ".repeat(BYTES - 1_000)}]`,
  "lists as deep as they may be": listOf(nested("[", "]", LEVELS)),
  "objects as deep as they may be": listOf(nested('{"a":', "}", LEVELS, "0")),
  "deep objects with keys of their own": listOf(
    nested('{"key":', "}", LEVELS, "0"),
    BYTES - 60_000,
  ).replaceAll("key", (_, at: number) => at.toString(36)),
  "lists that are deep in a short message": nested("[", "]", (UNSCANNED_CHARACTERS - 100) / 2),
  "objects that are deep in a short message": nested(
    '{"":',
    "}",
    (UNSCANNED_CHARACTERS - 100) / 5,
    "0",
  ),
};

const VERSIONS: readonly [string, ConnectOptions, (payload: string) => string][] = [
  ["2.0.0", {}, (payload) => `["11","2","room:1","echo",${payload}]`],
  [
    "1.0.0",
    { vsn: "1.0.0" },
    (payload) => `{"topic":"room:1","event":"echo","payload":${payload},"ref":"2"}`,
  ],
];

describe("A message within the default limits takes no more than 50 ms to parse, handle and answer", () => {
  for (const [version, options, frameOf] of VERSIONS) {
    for (const [what, payload] of Object.entries(PAYLOADS)) {
      it(`with ${what}, in version ${version}`, (context) => {
        const world = new World({
          channels: {
            "room:*": channel({ handleIn: { echo: (_, sent) => reply("ok", sent) } }),
          },
          maxJsonDepth: maxJsonDepth.default,
          maxTopicBytes: maxTopicBytes.default,
          maxEventBytes: maxEventBytes.default,
        });
        const client = world.connect(options);
        const join = { topic: "room:1", event: "phx_join", payload: {}, ref: "11" };
        client.send(
          version === "2.0.0" ? '["11","11","room:1","phx_join",{}]' : JSON.stringify(join),
        );
        client.taken();
        const frame = frameOf(payload);
        assert.ok(frame.length <= BYTES, `${frame.length} characters`);
        let least = Infinity;
        let leastAlone = Infinity;
        let limitMs = MOST_MS;
        for (let tries = 0; tries < MOST_TRIES && least > limitMs; tries += 1) {
          const aloneMs = spentMs(() => JSON.stringify(JSON.parse(payload)));
          leastAlone = Math.min(leastAlone, aloneMs);
          limitMs = Math.max(MOST_MS, 2 * leastAlone);
          least = Math.min(
            least,
            spentMs(() => client.send(frame)),
          );
          const answer = client.taken();
          assert.match(answer[0]?.slice(0, 200) ?? "nothing", /phx_reply/);
        }
        context.diagnostic(`${least.toFixed(1)} ms, alone ${leastAlone.toFixed(1)} ms`);
        assert.ok(least <= limitMs, `${least} ms, at most ${limitMs} ms`);
      });
    }
  }
});
