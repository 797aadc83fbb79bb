/**
 * Code that holds the thread of a shard which must close, in every kind of place from which a shard calls user code: the
 * node ends all of it, and closes in order. No time limit of a drain has passed by then, since these are a minute here.
 *
 * Runs on: the test's thread; each server is a process of its own.
 * Slow: each test starts a process, in which a shard stands still for `SIMURGH_STALL_MS` at least once.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { Client, joined } from "../support/client.ts";
import { CommandLine, type Outcome } from "../support/command-line.ts";
import { noSecondShard } from "../support/dealing.ts";
import { RawWebSocketClient } from "../support/raw-client.ts";

const APP = fileURLToPath(new URL("../apps/stuck-places.js", import.meta.url));
const ENVIRONMENT = {
  SIMURGH_STALL_MS: "300",
  SIMURGH_SHUTDOWN_MS: "60000",
  SIMURGH_DRAIN_MS: "60000",
  SIMURGH_DRAIN_LIMIT_MS: "200",
  SIMURGH_LOG_LEVEL: "warn",
};
const DEADLINE_MS = 20_000;

function served(place?: string): CommandLine {
  const args = ["serve", APP, "--host", "127.0.0.1", "--port", "0", "--shards", "2"];
  const environment = place === undefined ? {} : { STUCK_PLACE: place };
  return new CommandLine(args, { ...ENVIRONMENT, ...environment });
}

/** Returns clients of shard 0 and of shard 1, joined to room:0. */
async function onBothShards(port: number): Promise<[Client, Client]> {
  const found: Client[] = [];
  while (!found[0] || !found[1]) {
    const client = await Client.connect(port);
    const { shard } = (await joined(client, "room:shard")) as { shard: 0 | 1 };
    if (found[shard]) await client.close();
    else found[shard] = client;
  }
  for (const client of found) await joined(client, "room:0");
  return [found[0], found[1]];
}

async function closesOnSigterm(
  command: CommandLine,
  stopped: readonly number[] = [0, 1],
): Promise<Outcome> {
  command.kill("SIGTERM");
  const outcome = await command.ended();
  const { code, signal, out } = outcome;
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, outcome.err);
  for (const shard of stopped) assert.match(out, new RegExp(`^stopped shard ${shard}$`, "m"));
  assert.match(outcome.err, /ending the code that holds a stuck shard/);
  return outcome;
}

async function areToldToReconnect(...clients: readonly Client[]): Promise<void> {
  const codes = await Promise.all(clients.map(async (client) => client.closed(DEADLINE_MS)));
  assert.deepEqual(
    codes.map(({ code }) => code),
    clients.map(() => 1012),
  );
}

function countOf(text: string, line: string): number {
  return text.split("\n").filter((one) => one === line).length;
}

describe("a node that closes ends what holds a shard", { skip: noSecondShard }, () => {
  it("in a handler that began less than the stall time before", async () => {
    await using command = served();
    const clients = await onBothShards(await command.port());
    clients[0].push("room:0", "hold");
    await command.printed(/^holds handleIn$/m);
    const told = areToldToReconnect(...clients);
    await closesOnSigterm(command);
    await told;
  });

  it("in the `terminate` of several channels, and runs that of all channels", async () => {
    await using command = served();
    const clients = await onBothShards(await command.port());
    for (const topic of ["room:1", "room:end1", "room:2", "room:end2", "room:3"]) {
      await joined(clients[0], topic);
    }
    const told = areToldToReconnect(...clients);
    const { out } = await closesOnSigterm(command);
    await told;
    for (const topic of ["room:1", "room:end1", "room:2", "room:end2", "room:3"]) {
      assert.equal(countOf(out, `terminate ${topic}`), 1, topic);
    }
    assert.equal(countOf(out, "terminate room:0"), 2);
  });

  it("in a handler, and then in the `terminate` of the same channel", async () => {
    await using command = served();
    const clients = await onBothShards(await command.port());
    await joined(clients[0], "room:both");
    clients[0].push("room:both", "hold");
    await command.printed(/^holds handleIn$/m);
    const told = areToldToReconnect(...clients);
    const { out } = await closesOnSigterm(command);
    await told;
    assert.equal(countOf(out, "holds terminate"), 1);
  });

  it("in `join`", async () => {
    await using command = served();
    const clients = await onBothShards(await command.port());
    clients[0].join("room:join");
    await command.printed(/^holds join$/m);
    const told = areToldToReconnect(...clients);
    await closesOnSigterm(command);
    await told;
  });

  it("in a message that has waited for its turn", async () => {
    await using command = served();
    const clients = await onBothShards(await command.port());
    await joined(clients[0], "room:both");
    const text = "x".repeat(900);
    for (let count = 0; count < 200; count += 1) clients[0].push("room:0", "echo", { text });
    clients[0].push("room:0", "hold");
    await command.printed(/^holds handleIn$/m);
    const told = areToldToReconnect(...clients);
    await closesOnSigterm(command);
    await told;
  });

  it("in a listener, and still delivers later broadcasts until its clients are told", async () => {
    await using command = served();
    const clients = await onBothShards(await command.port());
    clients[1].push("room:0", "tick");
    await command.printed(/^holds listener$/m);
    const told = areToldToReconnect(...clients);
    await closesOnSigterm(command);
    await told;
  });

  it("in `intercept` of a broadcast from another shard", async () => {
    await using command = served();
    const clients = await onBothShards(await command.port());
    for (const client of clients) await joined(client, "room:intercept");
    clients[1].push("room:intercept", "shout", {});
    await command.printed(/^holds intercept$/m);
    const told = areToldToReconnect(...clients);
    await closesOnSigterm(command);
    await told;
  });

  it("in `handleMetas` of a presence", async () => {
    await using command = served();
    const clients = await onBothShards(await command.port());
    await joined(clients[0], "room:metas");
    clients[0].push("room:metas", "track");
    await command.printed(/^holds handleMetas$/m);
    const told = areToldToReconnect(...clients);
    await closesOnSigterm(command);
    await told;
  });

  it("in `connect`", async () => {
    await using command = served();
    const port = await command.port();
    const clients = await onBothShards(port);
    const refused = assert.rejects(Client.connect(port, { params: { hold: "connect" } }));
    await command.printed(/^holds connect$/m);
    const ended = closesOnSigterm(command);
    await Promise.all([areToldToReconnect(...clients), refused, ended]);
  });

  it("in a route", async () => {
    await using command = served();
    const port = await command.port();
    const clients = await onBothShards(port);
    const refused = assert.rejects(fetch(`http://127.0.0.1:${port}/hold`));
    await command.printed(/^holds route$/m);
    const told = areToldToReconnect(...clients);
    await closesOnSigterm(command);
    await Promise.all([told, refused]);
  });

  it("in `expiring`, which the shard's sweep calls", async () => {
    await using command = served();
    const port = await command.port();
    const clients = await onBothShards(port);
    const expiring = await Client.connect(port, { params: { hold: "expiring" } });
    expiring.join("room:1");
    await command.printed(/^holds expiring$/m);
    const told = areToldToReconnect(...clients, expiring);
    await closesOnSigterm(command);
    await told;
  });

  it("in an interval of the app, again and again", async () => {
    await using command = served("interval");
    await command.printed(/^holds interval$/m);
    await closesOnSigterm(command);
  });

  it("in a raw channel, which is logged with topic and event", async () => {
    await using command = served();
    const clients = await onBothShards(await command.port());
    await joined(clients[0], "raw:1");
    clients[0].push("raw:1", "wait");
    await command.logged("shard stuck");
    assert.match(command.err, /"topic":"raw:1","event":"wait"[^\n]*"msg":"shard stuck/);
    const told = areToldToReconnect(...clients);
    const { out } = await closesOnSigterm(command);
    await told;
    assert.equal(countOf(out, "end raw:1"), 1);
  });

  it("in the `start` and the `end` of raw channels", async () => {
    await using command = served();
    const clients = await onBothShards(await command.port());
    await joined(clients[1], "raw:end");
    clients[0].join("raw:start");
    await command.printed(/^holds start$/m);
    const told = areToldToReconnect(...clients);
    const { out } = await closesOnSigterm(command);
    await told;
    assert.equal(countOf(out, "holds end"), 1);
  });

  it("in a raw socket, and then in its `terminate`", async () => {
    await using command = served();
    const port = await command.port();
    const clients = await onBothShards(port);
    const raw = await RawWebSocketClient.connect(port, "", "/lines");
    await raw.send("hold");
    await command.printed(/^holds raw handleIn$/m);
    const told = areToldToReconnect(...clients);
    const { out } = await closesOnSigterm(command);
    await told;
    assert.equal(countOf(out, "holds raw terminate"), 1);
  });

  it("in the `close` of a custom transport's client, and runs `terminate` of its channels", async () => {
    await using command = served("custom close");
    const clients = await onBothShards(await command.port());
    const told = areToldToReconnect(...clients);
    const { out } = await closesOnSigterm(command);
    await told;
    assert.equal(countOf(out, "holds custom close"), 1);
    assert.equal(countOf(out, "terminate room:custom"), 1);
  });

  it("in `stop` of the app", async () => {
    await using command = served("stop");
    const clients = await onBothShards(await command.port());
    const told = areToldToReconnect(...clients);
    const { err } = await closesOnSigterm(command, [1]);
    await told;
    assert.match(err, /SIM_ERR_CALLBACK_ENDED/);
  });
});

describe("a node whose host hurries", { skip: noSecondShard }, () => {
  it("closes even if `terminate` of all channels holds their shards", async () => {
    await using command = served();
    const clients = await onBothShards(await command.port());
    for (let count = 0; count < 20; count += 1) await joined(clients[0], `room:end${count}`);
    command.kill("SIGTERM");
    await command.printed(/^holds terminate$/m);
    command.kill("SIGTERM");
    const { code, signal, err } = await command.ended();
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, err);
  });
});
