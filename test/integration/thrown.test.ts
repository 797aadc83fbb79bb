/**
 * Whatever user code throws, rejects with or returns costs only its own channel or request.
 *
 * Runs on: the main thread of the tests; the server is a process of its own.
 * Slow: a process is started, and there are many values and places.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { startChild, type Child } from "../support/child.ts";
import { Client, joined } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import type { Message } from "../support/frames.ts";
import { WHATEVER } from "../support/whatever.ts";

const EVENTS = ["throw", "reject", "return", "resolve", "stop", "reply", "send"] as const;
const ENDS = new Set(["phx_error", "phx_close"]);

let child: Child;

/** Returns all messages until the reply to a ping on another channel of the same connection. */
async function messagesUntilPong(client: Client): Promise<Message[]> {
  const ref = client.push("room:canary", "ping");
  const messages: Message[] = [];
  for (;;) {
    const message = await client.next();
    if (message.ref === ref && message.topic === "room:canary") return messages;
    messages.push(message);
  }
}

async function statusOf(path: string): Promise<number> {
  const url = `http://127.0.0.1:${child.port}${path}`;
  const { status } = await within(fetch(url), `an answer to ${path}`);
  return status;
}

describe("Whatever user code throws", () => {
  before(async () => {
    child = await startChild("thrown.main");
  });

  after(() => {
    child.process.kill("SIGKILL");
  });

  for (const [at, [what]] of WHATEVER.entries()) {
    for (const event of EVENTS) {
      it(`in a handler costs its channel only: ${event} ${what}`, async () => {
        const client = await Client.connect(child.port);
        await joined(client, "room:canary");
        const topic = `room:${at}`;
        await joined(client, topic);
        client.push(topic, event, { at });
        const messages = await messagesUntilPong(client);
        // The channel may end only after its `terminate` has settled.
        messages.push(...(await messagesUntilPong(client)));
        assert.ok(messages.every((message) => message.topic === topic));
        const isFine = what === "undefined" && !["throw", "reject", "stop", "send"].includes(event);
        const hasEnded = messages.some((message) => ENDS.has(message.event));
        if (event !== "reply") assert.equal(hasEnded, !isFine);
        await client.close();
      });
    }

    it(`in a join costs that join only: ${what}`, async () => {
      const client = await Client.connect(child.port);
      await joined(client, "room:canary");
      for (const how of ["throw", "reject", "return"]) {
        const ref = client.join(`join:${at}`, { how, at });
        const { status, response } = await client.replyTo(ref);
        assert.deepEqual([status, response], ["error", { reason: "join crashed" }]);
        assert.deepEqual(await messagesUntilPong(client), []);
      }
      await client.close();
    });

    it(`in connect or a route costs that request only: ${what}`, async () => {
      for (const path of [`/throw/${at}`, `/reject/${at}`, `/return/${at}`]) {
        assert.equal(await statusOf(path), 500, path);
      }
      for (const path of [
        `/sync/longpoll?vsn=2.0.0&at=${at}`,
        `/sync/websocket?vsn=2.0.0&at=${at}`,
        `/socket/websocket?vsn=2.0.0&how=throw&at=${at}`,
      ]) {
        assert.equal(await statusOf(path), 500, path);
      }
    });

    it(`outside any handler costs nothing: ${what}`, async () => {
      const client = await Client.connect(child.port);
      await joined(client, "room:canary");
      const ref = client.push("room:canary", "outside", { at });
      const { status } = await client.replyTo(ref);
      assert.equal(status, "ok");
      assert.deepEqual(await messagesUntilPong(client), []);
      await client.close();
    });
  }

  it("in `stop` does not keep the server from closing", async () => {
    child.process.kill("SIGTERM");
    assert.deepEqual(await child.exited(), { code: 0, signal: null });
  });
});
