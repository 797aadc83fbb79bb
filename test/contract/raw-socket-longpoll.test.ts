/**
 * Raw sockets over long-poll: the contract, and what is specific to long-poll.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";

import { error, ok, stop } from "../../src/callbacks/results.ts";
import type { ExitReason } from "../../src/callbacks/results.ts";
import { defineRawSocket } from "../../src/socket/raw-definition.ts";
import type { RawSocketCallbacks } from "../../src/socket/raw-definition.ts";
import { within } from "../support/deadline.ts";
import { ask, NDJSON } from "../support/longpoll-client.ts";
import { RawLongPollClient } from "../support/raw-client.ts";
import { startShard } from "../support/shard.ts";
import type { TestShard } from "../support/shard.ts";
import { Deferred } from "../support/world.ts";
import { describeRawSocket } from "./raw-socket.contract.ts";

describeRawSocket({
  name: "longpoll",
  connect: async ({ port }, query) => RawLongPollClient.connect(port, query),
  refused: async ({ port }, query = "") => {
    const { http, status } = await within(
      ask(port, "GET", `/raw/longpoll?${query}`).answer,
      "an answer",
    );
    return `${http} in its body ${status}`;
  },
  binary: (bytes) => bytes,
  close: () => "ended",
});

describe("a raw socket over long-poll only", () => {
  const shards: TestShard[] = [];
  after(() => {
    for (const shard of shards) shard.close();
  });

  /** @param windowMs - the time of a poll, and how soon a client that does not poll is forgotten */
  async function serving(
    callbacks: Partial<RawSocketCallbacks<object>>,
    windowMs = 10_000,
  ): Promise<TestShard> {
    const socket = defineRawSocket<object>({
      connect: () => ok({}),
      handleIn: (_, { data }) => ok(data),
      ...callbacks,
    });
    const shard = await startShard({
      sockets: { "/raw": { socket, longpoll: { windowMs } } },
    });
    shards.push(shard);
    return shard;
  }

  it("answers a POST with 200 as soon as its frame is handled, whatever the reply", async () => {
    const { port } = await serving({
      handleIn(_, { data }) {
        if (data === "boom") throw new Error("boom");
        if (data === "stop") return stop("normal");
        return data === "error" ? error("no") : ok("yes");
      },
    });
    for (const [frame, status] of [
      ["ok", 200],
      ["error", 200],
      ["stop", 200],
      ["boom", 408],
    ] as const) {
      const client = await RawLongPollClient.connect(port);
      await client.send(frame);
      assert.equal(client.posted, status, frame);
    }
  });

  it("handles the lines of a POST one after the other, and none after a stop", async () => {
    const seen: string[] = [];
    const { port } = await serving({
      async handleIn(_, { data }) {
        const text = Buffer.from(data).toString();
        seen.push(`begin ${text}`);
        await Promise.resolve();
        seen.push(`end ${text}`);
        return text === "stop" ? stop("normal") : undefined;
      },
    });
    const opened = await ask(port, "GET", "/raw/longpoll").answer;
    const path = `/raw/longpoll?token=${opened.token ?? ""}`;
    const lines = ["one", "two", "stop", "never"].map((text) =>
      Buffer.from(text).toString("base64"),
    );
    const posted = await within(
      ask(port, "POST", path, lines.join("\n"), NDJSON).answer,
      "an answer",
    );
    assert.equal(posted.status, 408);
    assert.deepEqual(seen, [
      "begin one",
      "end one",
      "begin two",
      "end two",
      "begin stop",
      "end stop",
    ]);
  });

  it("tells terminate that the client has stopped polling", async () => {
    const reason = new Deferred<ExitReason>();
    const { port } = await serving({ terminate: (_, why) => reason.resolve(why) }, 200);
    await RawLongPollClient.connect(port);
    assert.deepEqual(await within(reason.promise, "terminate"), { shutdown: "inactive" });
  });

  it("neither receives nor sends control frames", async () => {
    const { port } = await serving({
      handleIn(socket) {
        socket.push({ opcode: "ping", data: "x" });
        return ok("pinged");
      },
    });
    const client = await RawLongPollClient.connect(port);
    await client.send("ping");
    assert.equal(await client.next(), "pinged");
  });
});
