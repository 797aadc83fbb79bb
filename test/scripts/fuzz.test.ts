/**
 * `npm run fuzz` in its short form, and the faults that it must find.
 *
 * Runs on: the test's thread; fuzzer and server are processes of their own.
 * Slow: it starts servers and sends them broken traffic.
 */

import assert from "node:assert/strict";
import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { AnswerReader } from "../../scripts/fuzz/answer-reader.ts";
import { isMessage, readCorpus } from "../../scripts/fuzz/corpus.ts";
import { FrameMaker } from "../../scripts/fuzz/frame-maker.ts";
import { mutateMessage } from "../../scripts/fuzz/json-mutations.ts";
import { parseFuzzOptions } from "../../scripts/fuzz/options.ts";
import { encodeFrame, FrameReader, OPCODE } from "../../scripts/suites/frames.ts";
import { Random } from "../../scripts/suites/random.ts";
import { runScript } from "../support/program.ts";

const DEADLINE_MS = 180_000;
/** Other tests keep the machine busy: here the latencies of canaries mean little. */
const P99 = ["--max-p99", "20000"];
const APP = new URL("../../scripts/fuzz/app.js", import.meta.url).href;
const SIMURGH = new URL("../../src/index.js", import.meta.url).href;

const folder = mkdtempSync(join(tmpdir(), "simurgh-fuzz-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Writes an app like the fuzzed one, of which a line is replaced. */
function faultyApp(name: string, source: string): string {
  const file = join(folder, `${name}.mjs`);
  const imports = `import * as simurgh from ${JSON.stringify(SIMURGH)};
    import app from ${JSON.stringify(APP)};`;
  writeFileSync(file, `${imports}\n${source}`);
  return file;
}

describe("npm run fuzz", () => {
  it("finds nothing in this server", async () => {
    const words = ["--frames", "60k", "--requests", "6k", "--connections", "8", ...P99];
    const { code, out, err } = await runScript("fuzz/main", words, DEADLINE_MS);
    assert.equal(code, 0, `${out}${err}`);
    assert.match(out, /^Nothing was found\.\nseed {6}\d+\n/);
    assert.match(out, /^sent {6}6\d{4} \(/m);
  });

  it("finds a process that dies, and names the lives at that time", async () => {
    const app = faultyApp(
      "dies",
      `import { subscribe } from "node:diagnostics_channel";
       let connected = 0;
       subscribe("simurgh:socket_connected", () => {
         connected += 1;
         if (connected === 30) process.kill(process.pid, "SIGKILL");
       });
       export default app;`,
    );
    const words = ["--seed", "5", "--requests", "0", "--frames", "10m", "--app", app, ...P99];
    const { code, out } = await runScript("fuzz/main", words, DEADLINE_MS);
    assert.equal(code, 1, out);
    assert.match(out, /^Faults found: \d+ \(seed 5\)\.\n- the server died; lives at that time: \d/);
  });

  it("finds a wrong answer, and the command repeats it", async () => {
    const app = faultyApp(
      "lies",
      `const { defineChannel, defineEndpoint, defineSocket, ok, reply } = simurgh;
       const socket = defineSocket({ connect: () => ok({}) });
       const echo = defineChannel(socket, {
         join: () => ok(),
         handleIn: { echo: (_socket, { n }) => reply("ok", { n: n === 3 ? 2 : n }) },
       });
       const canary = defineChannel(socket, {
         join: ({ shard }) => ok({ shard }),
         handleIn: { echo: (_socket, payload) => reply("ok", payload) },
       });
       const mount = { socket, channels: { "echo:*": echo } };
       export default defineEndpoint({
         sockets: {
           "/socket": mount,
           "/deflate": mount,
           "/serial": mount,
           "/canary": { socket, channels: { "canary:*": canary } },
         },
       });`,
    );
    const words = ["--seed", "5", "--lives", "30", "--requests", "0", "--app", app, ...P99];
    const { code, out } = await runScript("fuzz/main", words, DEADLINE_MS);
    assert.equal(code, 1, out);
    const life = /^- life (\d+): got .*"n":2.* instead of the answer to 3$/m.exec(out)?.[1] ?? "";
    assert.match(out, new RegExp(`npm run fuzz -- --seed 5 --from ${life} --lives 1 --requests 0`));
    const again = ["--seed", "5", "--from", life, "--lives", "1", "--requests", "0"];
    const repeated = await runScript("fuzz/main", [...again, "--app", app, ...P99], DEADLINE_MS);
    assert.match(
      repeated.out,
      new RegExp(`^- life ${life}: got .* instead of the answer to 3$`, "m"),
    );
  });

  it("says which option is bad, and what it can do", async () => {
    const bad = await runScript("fuzz/main", ["--frames", "many"], DEADLINE_MS);
    assert.deepEqual(
      [bad.code, bad.err],
      [2, "fuzz: frames must be an integer from 0 to 10000000000 (frames), got many\n"],
    );
    const { out } = await runScript("fuzz/main", ["--help"], DEADLINE_MS);
    const lines = out.split("\n");
    assert.ok(lines.length <= 24 && lines.every((line) => line.length <= 80), out);
    assert.deepEqual(
      [parseFuzzOptions(["--long"]).frames, parseFuzzOptions(["--long"]).requests],
      [10_000_000, 1_000_000],
    );
  });
});

const corpus = readCorpus();

/** Makes the traffic of a connection, as hex. */
function made(seed: number): string {
  const maker = new FrameMaker(Random.of(seed, 1, 7), corpus, { version: 2, isDeflated: true });
  const frames = Array.from({ length: 50 }, () => maker.make().bytes);
  return Buffer.concat([...frames, maker.makeBreaker().bytes]).toString("hex");
}

describe("broken traffic", () => {
  it("is made of all recorded versions and formats", () => {
    const { sequences, texts, binaries, bodies, targets } = corpus;
    for (const list of [
      sequences[1],
      sequences[2],
      texts[1],
      texts[2],
      binaries,
      bodies,
      targets,
    ]) {
      assert.ok(list.length > 5);
    }
  });

  it("is the same for the same seed, and another for another", () => {
    assert.equal(made(1), made(1));
    assert.notEqual(made(1), made(2));
  });

  it("is mostly made of messages that are none that anybody recorded", () => {
    const random = new Random(3);
    const texts = corpus.texts[2];
    const mutated = Array.from({ length: 500 }, () => mutateMessage(random, random.pick(texts), 2));
    const alive = mutated.filter((text) =>
      isMessage(2, { opcode: OPCODE.text, payload: Buffer.from(text) }),
    );
    assert.ok(alive.length > 300, `${alive.length} of 500 are messages`);
    assert.ok(mutated.filter((text) => texts.includes(text)).length < 100);
  });
});

describe("a frame of a client", () => {
  const payload = Buffer.from("hi");

  it("is written as RFC 6455 has it", () => {
    assert.equal(encodeFrame({ payload }).toString("hex"), "8182000000006869");
    const masked = encodeFrame({ payload, mask: 0x37fa213d });
    assert.equal(masked.toString("hex"), "818237fa213d5f93");
    const medium = encodeFrame({ payload: Buffer.alloc(126), opcode: OPCODE.binary });
    assert.equal(medium.toString("hex", 0, 8), "82fe007e00000000");
    assert.equal(medium.length, 8 + 126);
    const long = encodeFrame({ payload: Buffer.alloc(65_536) });
    assert.equal(long.toString("hex", 0, 14), "81ff000000000001000000000000");
  });

  it("can break the rules", () => {
    assert.equal(encodeFrame({ payload, mask: null }).toString("hex"), "81026869");
    const lying = encodeFrame({
      payload,
      claimedLength: 2n ** 64n - 1n,
      isLast: false,
      reserved: 5,
    });
    assert.equal(lying.toString("hex"), "51ffffffffffffffffff000000006869");
  });
});

/** Reads frames from chunks as hex. */
function readAll(chunks: readonly string[]): { frames: string[]; fault: string | undefined } {
  const frames: string[] = [];
  const reader = new FrameReader((opcode, payload) =>
    frames.push(`${opcode} ${payload.toString()}`),
  );
  for (const chunk of chunks) reader.read(Buffer.from(chunk, "hex"));
  return { frames, fault: reader.fault };
}

describe("a reader of frames", () => {
  it("reads frames however they are cut", () => {
    assert.deepEqual(readAll(["810268698a00"]).frames, ["1 hi", "10 "]);
    assert.deepEqual(readAll(["81", "02", "68", "69", "8a", "00"]).frames, ["1 hi", "10 "]);
    assert.deepEqual(readAll(["817e0002", "6869"]).frames, ["1 hi"]);
    assert.deepEqual(readAll(["817f00000000000000", "026869"]).frames, ["1 hi"]);
  });

  it("says what is no frame of a server", () => {
    assert.equal(readAll(["8182"]).fault, "a frame of the server begins with 8182");
  });
});

describe("a reader of answers", () => {
  it("reads answers with and without a body, however they are cut", () => {
    const answers: string[] = [];
    const heads = [false, true, false];
    const reader = new AnswerReader(
      (status, body) => {
        answers.push(`${status} ${body}`);
        heads.shift();
      },
      () => heads[0] === true,
    );
    const bytes =
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" +
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" +
      "HTTP/1.1 204 No Content\r\n\r\n";
    for (const byte of bytes) reader.read(Buffer.from(byte));
    assert.deepEqual(answers, ["200 hi", "200 ", "204 "]);
    reader.read(Buffer.from("oops\r\n\r\n"));
    assert.equal(reader.fault, 'the server answered "oops"');
  });
});
