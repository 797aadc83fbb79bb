/**
 * Every generation of the unmodified official client, without WebSockets: those that can fall back to polling
 * do so, and remember it for the tab.
 *
 * Runs on: the main thread of the tests; the server's two shards are threads of the same process.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { Front, type WebSocketFate } from "../../support/clients/front.ts";
import { GENERATIONS } from "../../support/clients/generations.ts";
import { PageClient } from "../../support/clients/page-client.ts";
import { SessionStorage } from "../../support/clients/page.ts";
import { startServer, type Server } from "../../support/server.ts";

/** How long a client waits for a WebSocket, unless it is refused. */
const WAIT_MS: Readonly<Record<WebSocketFate, number>> = {
  refused: 5_000,
  ignored: 250,
  muted: 250,
};
const MEMORY = "phx:fallback:LongPoll";

/** The transport of a channel, according to the server. */
async function via(client: PageClient): Promise<unknown> {
  const { response } = await (await client.joined("room:1")).push("told");
  return (response as { via: unknown }).via;
}

describe("If WebSockets are not available", () => {
  let server: Server;
  let front: Front;
  let clients: PageClient[] = [];
  before(async () => {
    server = await startServer("clients", { shards: 2 });
  });
  after(() => server.close());
  afterEach(async () => {
    for (const client of clients) client.close();
    clients = [];
    await front.close();
  });

  for (const generation of GENERATIONS) {
    const name = `${generation.name} ${generation.version}`;

    /** Returns a client in this tab that falls back if it can. */
    function visit(storage: SessionStorage, longPollFallbackMs: number): PageClient {
      const socket = { longPollFallbackMs };
      const client = new PageClient(generation, front.port, { storage, socket });
      clients.push(client);
      client.socket.connect();
      return client;
    }

    if (generation.can.fallback) {
      const fates: readonly WebSocketFate[] = ["refused", "ignored", "muted"];
      for (const fate of fates) {
        it(`${name} polls if one is ${fate}, and tries none on the tab's next page`, async () => {
          front = await Front.start(server.port, fate);
          const tab = new SessionStorage();
          assert.equal(await via(visit(tab, WAIT_MS[fate])), "longpoll");
          await front.upgrades.next("the WebSocket that was wanted");
          assert.equal(tab.getItem(MEMORY), "true");
          assert.equal(await via(visit(tab, WAIT_MS[fate])), "longpoll");
          assert.equal(front.upgrades.size, 0);
        });
      }
    } else {
      it(`${name} tries a WebSocket again and again`, async () => {
        front = await Front.start(server.port);
        visit(new SessionStorage(), WAIT_MS.refused);
        await front.upgrades.take(5, "WebSocket");
        assert.equal(front.polls.size, 0);
      });
    }
  }
});
