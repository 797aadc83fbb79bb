/**
 * Clients that connect while shards are restarted one after the other.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread. The clients have a thread of their own.
 * Slow: starts shards until enough of them have left the deal.
 */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import { Connector } from "../support/connector.ts";
import { isPortable, noSecondShard } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { startServer, type Server } from "../support/server.ts";

const DEADLINE_MS = 20_000;
const CLIENTS = 4;
const RESTARTS = 12;

let server: Server;
let connector: Connector | undefined;
afterEach(async () => {
  await connector?.finish();
  await server.closeNow();
});

describe("Clients that connect while shards are restarted", { skip: noSecondShard }, () => {
  it("are answered; the portable engine resets at most those on their way, once each", async (test) => {
    server = await startServer("flooded", { shards: 2, drainMs: 0 });
    connector = new Connector(server.port, CLIENTS, "/quick");
    for (let at = 0; at < RESTARTS; at += 1) {
      await within(server.restartShard(at % 2), `restart ${at}`, DEADLINE_MS);
    }
    const { answered = 0, ECONNRESET: resets = 0, ...others } = await connector.finish();
    connector = undefined;
    test.diagnostic(`${answered} answered, ${resets} reset in ${RESTARTS} restarts`);
    assert.deepEqual(others, {});
    assert.ok(answered > CLIENTS * RESTARTS);
    // Main deals the connections of the native engine, and goes on listening. A shard of the portable engine stops: the
    // system resets what it has not accepted yet, which is at most one connection of each client.
    const most = isPortable(server) ? CLIENTS * RESTARTS : 0;
    assert.ok(resets <= most, `${resets} resets`);
  });
});
