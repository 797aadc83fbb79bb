/**
 * The unmodified official client, with the lines of the guide that make it resume: it gets every message
 * once, in order, however its channel or its connection ends.
 *
 * Runs on: the main thread of the tests; the server's shards and its keeper are threads of the same process.
 * Slow: each client is ended many times.
 */

import assert from "node:assert/strict";
import type { Channel, Push, Socket } from "phoenix";
import { after, afterEach, before, describe, it } from "node:test";

import { carriersOf, GENERATIONS } from "../../support/clients/generations.ts";
import { PageClient } from "../../support/clients/page-client.ts";
import { restartAll } from "../../support/dealing.ts";
import { within } from "../../support/deadline.ts";
import { startServer, type Server } from "../../support/server.ts";

/** The lines of the guide. */
const { joinResuming } = (await import(
  new URL("../../../../test/examples/history/resume.mjs", import.meta.url).href
)) as {
  joinResuming: (
    socket: Socket,
    topic: string,
    params: () => object,
    onRecovered: (how: { recovered: boolean; count: number }) => void,
  ) => { channel: Channel; join: Push };
};

/** A channel that resumes, and what it has heard. */
interface Resuming {
  readonly channel: Channel;
  readonly heard: number[];
  /** Whether each join was recovered. */
  readonly recovered: boolean[];
  /** Waits until this many messages have arrived. */
  until(count: number): Promise<void>;
  /** Waits until it has joined this often. */
  joined(times: number): Promise<void>;
  /** Makes the next join be refused. */
  refuseNext(): void;
}

function resume(client: PageClient, topic: string): Resuming {
  const heard: number[] = [];
  const recovered: boolean[] = [];
  let isRefused = false;
  let wake = NOBODY;
  const params = (): object => (isRefused ? { refused: true } : {});
  const { channel, join } = joinResuming(client.socket, topic, params, (how) => {
    recovered.push(how.recovered);
    wake();
  });
  join.receive("error", () => {
    isRefused = false;
  });
  channel.on("said", (payload) => {
    heard.push((payload as { n: number }).n);
    wake();
  });
  const waitFor = async (isDone: () => boolean, what: string): Promise<void> => {
    while (!isDone()) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await within(woken, `${what}, after ${heard.length} messages`);
    }
  };
  return {
    channel,
    heard,
    recovered,
    until: (count) => waitFor(() => heard.length >= count, `message ${count}`),
    joined: (times) => waitFor(() => recovered.length >= times, `join ${times}`),
    refuseNext: () => {
      isRefused = true;
    },
  };
}

const NOBODY = (): void => {};
const upTo = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1);
const RESUMABLE = GENERATIONS.filter(({ vsn }) => vsn === "2.0.0");

describe("The official client, with the lines that resume", () => {
  let server: Server;
  let clients: PageClient[] = [];
  let topics = 0;
  let said = 0;
  before(async () => {
    server = await startServer("histories", { shards: 2 });
  });
  after(() => server.close());
  afterEach(() => {
    for (const client of clients) client.close();
    clients = [];
    said = 0;
  });

  async function say(topic: string, count: number): Promise<void> {
    for (let one = 0; one < count; one += 1) {
      said += 1;
      await server.publish(topic, "said", { n: said });
    }
  }

  for (const generation of RESUMABLE) {
    const name = `${generation.name} ${generation.version}`;

    // Over long-poll, older clients do not notice that their session is lost, and never join again.
    const carriers = carriersOf(generation).filter(
      (carrier) => carrier === "websocket" || generation.can.noticesLostSession,
    );
    for (const carrier of carriers) {
      it(`misses nothing with ${name} over ${carrier}: drops, crashes and refused rejoins`, async () => {
        topics += 1;
        const topic = `long:${topics}`;
        const client = await PageClient.connect(generation, server.port, {
          params: { user: name },
          carrier,
        });
        clients.push(client);
        const resuming = resume(client, topic);
        await resuming.joined(1);
        let joins = 1;
        for (let round = 0; round < 9; round += 1) {
          await say(topic, 3);
          if (round % 3 === 0) server.disconnect(`users:${name}`);
          else {
            if (round % 3 === 1) resuming.refuseNext();
            // An event without a handler ends the channel with phx_error.
            resuming.channel.push("crash", {});
          }
          await say(topic, 5);
          joins += 1;
          await resuming.joined(joins);
          await say(topic, 2);
          await resuming.until(said);
        }
        assert.deepEqual(resuming.heard, upTo(said));
        assert.ok(resuming.recovered.every(Boolean));
      });
    }

    it(`misses nothing with ${name} while the shards are restarted`, async () => {
      topics += 1;
      const topic = `long:${topics}`;
      const client = await PageClient.connect(generation, server.port, { params: { user: name } });
      clients.push(client);
      const resuming = resume(client, topic);
      await resuming.joined(1);
      const restarts = restartAll(server);
      let isDone = false;
      void restarts.finally(() => {
        isDone = true;
      });
      while (!isDone) {
        await say(topic, 1);
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
      await restarts;
      await resuming.until(said);
      assert.deepEqual(resuming.heard, upTo(said));
      assert.ok(resuming.recovered.every(Boolean));
    });
  }
});
