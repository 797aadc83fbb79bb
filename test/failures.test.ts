/**
 * Each row of the table "Failures" in src/README.md is shown by a fault of `npm run chaos` or by a test.
 *
 * Runs on: the test's thread; reads the document and the tests.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import { FAULTS } from "../scripts/chaos/faults.ts";

const ROOT = new URL("../../", import.meta.url);

interface Shown {
  readonly faults?: readonly string[];
  /** Titles of tests, by their file in `test`. */
  readonly tests?: Readonly<Record<string, readonly string[]>>;
}

/** What shows each row, by the first cell of the row. */
const SHOWN: Readonly<Record<string, Shown>> = {
  "`server.close()`; a first SIGTERM or SIGINT to `simurgh`": {
    tests: {
      "cli/signals": ["by ${signal} closes every client with 1012 and exits with 0"],
      "integration/drain": ["is drained by close too, in batches"],
    },
  },
  "`closeNow()`; a second signal": {
    faults: ["two-sigterms"],
    tests: { "cli/signals": ["a second time stops at once"] },
  },
  "a shard ends while the node drains": {
    tests: {
      "integration/drain": [
        "replaces no shard that ends meanwhile, and reports whose counts are missing",
      ],
    },
  },
  "`process.exit` or an uncaught exception in main": {
    tests: {
      "integration/shutdown": [
        "keeps the code of process.exit in the host, with clients connected",
        "keeps the code and the stack of an uncaught throw in the host",
      ],
    },
  },
  "`process.exit` in a shard": {
    faults: ["exit-in-shard"],
    tests: {
      "integration/exit-under-load": ["a shard can call process.exit without harm to the others"],
    },
  },
  "an exception outside any handler in a shard": {
    faults: ["timer-throws"],
    tests: { "integration/thrown": ["outside any handler costs nothing: ${what}"] },
  },
  "user code throws or returns what cannot be read (a Proxy, a getter that throws)": {
    faults: ["handler-throws", "handler-rejects", "join-throws", "connect-throws", "route-throws"],
    tests: { "integration/thrown": ["in a handler costs its channel only: ${event} ${what}"] },
  },
  "nobody reads standard error or output, or it is closed, or the disk is full": {
    faults: [
      "stderr-unread",
      "stdout-unread",
      "stderr-closed",
      "stdout-closed",
      "stdout-closed-restart",
      "disk-full",
    ],
    tests: {
      "integration/output": [
        "is counted if it was dropped, and a line says so when it is read again",
      ],
      "output/output": ["makes flushNow return long before its limit while nobody reads"],
    },
  },
  "a client or user code causes many log lines": {
    tests: {
      "output/queue-logger": ["writes logLinesPerConnection lines of a kind about a connection"],
      "log/throttle": ["reports what it suppressed once, by kind"],
    },
  },
  "a join does not settle in time": {
    tests: {
      "channel/join": [
        "that takes too long is answered with join timeout, and its later result is ignored",
      ],
    },
  },
  "a handler throws or returns a bad result": {
    faults: ["handler-throws", "handler-rejects"],
    tests: {
      "channel/channel-ends": ["after a crash: what terminate pushes, then phx_error"],
      "contract/raw-socket.contract": ["closes with 1011 if ${what}, without harm to others"],
    },
  },
  "a handler does not settle in time; a mailbox is full": {
    tests: {
      "integration/channels": [
        "ends a channel whose handler takes longer than handlerTimeoutMs, and no other",
        "ends a channel with more than maxMailbox waiting messages, and no other",
      ],
    },
  },
  "`connect` throws": {
    faults: ["connect-throws"],
    tests: { "integration/thrown": ["in connect or a route costs that request only: ${what}"] },
  },
  "a connection expires (`connect`, `renew`)": {
    tests: {
      "socket/expiry": [
        "warns its channels before, and is closed with 3000, without a frame on any of them",
      ],
    },
  },
  "the node holds more than `maxBufferBytes` for others": {
    tests: {
      "integration/buffers": [
        "cuts the client for which most is unsent, on its shard, and nobody on the others",
      ],
      "shard/buffers": [
        "closes the connection with most waiting messages, with 1008",
        "answers the request with the largest incomplete body with 503",
      ],
      "pubsub/exchange": [
        "drops what waits for one member, which is notified, and keeps what waits for the others",
      ],
    },
  },
  "a broadcast of 64 KiB or more would leave more unsent than that": {
    tests: {
      "channel/fastlane": ["leaves no more unsent than there is room for, and tells the others"],
    },
  },
  "the process takes more than `maxResidentBytes`": {
    tests: {
      "shard/overload": [
        "counts buffers as heap, and compares the resident memory of the process with its own threshold",
      ],
      "shard/resident-watch": ["cuts a client that completes no message, and none that does"],
    },
  },
  "too many connections have no channel, or wait for `connect`": {
    tests: {
      "transport/unjoined-connections": ["closes the oldest with 1008"],
      "shard/pending-connects": [
        "are at most maxPendingConnects, on all transports together; further ones get 503",
      ],
    },
  },
  "a custom transport throws": {
    tests: {
      "transport/custom/custom-transports": [
        "loses a client if its own code throws for it, and no other",
        "fails the start of its shard if its own start throws",
      ],
    },
  },
  "an app imports another copy of the package than the one that serves it": {
    tests: {
      "installed-copies": [
        "serve an app by the copy that it imports, if the command of the other is used",
        "refuse a module that is imported later",
      ],
    },
  },
  "a shard fails at the start": {
    tests: { "integration/start": ["fails with what the app's \\`start\\` throws: ${what}"] },
  },
  "a shard ends later": {
    faults: ["exit-in-shard"],
    tests: {
      "server/restart-bound": ["lets a shard be replaced five times within a minute"],
      "transport/engine/native/dealing-listener": [
        "answers 503 with Retry-After while no shard is in the rotation, and counts that",
      ],
    },
  },
  "every shard has ended too often, or all have been stuck for 30 times `stallMs`": {
    faults: ["exit-of-all"],
    tests: {
      "integration/stuck": [
        "exits with 70 when its shards have ended too often",
        "exits with 70 when all shards have been stuck for 30 times the stall time",
      ],
    },
  },
  "`restartShard`, SIGHUP": {
    faults: ["many-sighups"],
    tests: {
      "integration/restart": [
        "closes its clients with 1012, and they reconnect to the new code",
        "drains in batches with pauses between them",
      ],
    },
  },
  "a renewed certificate cannot be used": {
    tests: {
      "integration/tls": [
        "keeps the certificate if the new files cannot be used, for restarts too",
      ],
      "cli/tls": [
        "restarts with the certificate that it has if the new files do not match, and logs why",
      ],
    },
  },
  "a shard ends within its own restart": {
    tests: {
      "integration/restart": [
        "is replaced once if it dies while its new thread starts",
        "may die in its own drain",
      ],
    },
  },
  "user code blocks a shard that is being restarted": {
    tests: {
      "integration/restart": [
        "with a blocked loop has its callback ended, and the new one serves",
        "with code that cannot be interrupted is left alone, and the new one serves",
      ],
    },
  },
  "the thread that keeps histories ends": {
    faults: ["keeper-ends"],
    tests: {
      "integration/history-losses": ["begins a new epoch if its keeper ends, and says so"],
    },
  },
  "broadcasts are lost on their way to a history": {
    tests: {
      "history/model": [
        "gives every client everything once, in order, or tells it, with seed ${seed}",
      ],
    },
  },
  "broadcasts with a history are lost on their way to a shard": {
    tests: {
      "integration/history-losses": [
        "gives a shard again what it was too late for, whether or not its clients asked",
      ],
    },
  },
  "a shard ends with records unsent": {
    tests: {
      "integration/restart": ["has the channels of all others told that they missed broadcasts"],
    },
  },
  "a callback holds the event loop for `slowCallbackMs`": {
    tests: {
      "shard/slow-callbacks": [
        "are counted, published and logged with topic and event, the log at most once in 10 s",
      ],
    },
  },
  "code holds a shard's thread for `stallMs`": {
    faults: ["stuck-loop", "stuck-regex", "stuck-wait"],
    tests: {
      "integration/stuck": [
        "serves again when its loop turns; readiness, statistics and telemetry agree",
      ],
    },
  },
  "the same while the server closes": {
    faults: ["stuck-loop", "stuck-regex", "stuck-wait"],
    tests: {
      "integration/stuck": [
        "by ${how} in ${event} is logged with its stack, gets no connections, and closes on SIGTERM",
      ],
    },
  },
  "the same, and it cannot be interrupted": {
    tests: {
      "integration/stuck": [
        "by code that cannot be interrupted costs an exit code, when all other clients have been told",
      ],
    },
  },
  "the same when the host calls `process.exit`": {
    tests: { "integration/stuck": ["does not keep the host from exiting with its own code"] },
  },
  "the server between nodes is unavailable": {
    faults: ["broker-killed", "broker-frozen", "broker-cuts", "broker-blip"],
    tests: {
      "integration/redis-blip": [
        "is gone for a while, stay open, unless they are disconnected meanwhile",
      ],
    },
  },
  "a node does not learn which disconnects it missed": {
    tests: {
      "pubsub/adapters/redis": [
        "reports that it may have missed disconnects if a node does not answer",
      ],
      "pubsub/id-notices": ["are spread over the time that a drain would take"],
    },
  },
  "the server between nodes refuses this one, or its name is taken": {
    faults: ["broker-refuses"],
    tests: {
      "integration/redis": [
        "ends with the reason if Redis refuses it, and does not show the password",
        "refuse another node with the name of one of them",
      ],
      "pubsub/adapters/redis": [
        "reports another node with its name that started while neither could see the other",
      ],
    },
  },
  "the database of `simurgh/postgres` is unavailable": {
    tests: {
      "postgres/crashes": ["survive a restart of the database, and its crash"],
      "postgres/database": ["connects again after a restart, listens again, and repeats no report"],
    },
  },
  "a node that holds such sessions dies, or continues after its lease has ended": {
    tests: {
      "postgres/crashes": [
        "survive kill -9 between claim and reply: each is handled, and each reply is there once",
        "are written by one node only, when another wakes up after its lease has ended",
      ],
      "postgres/writer": ["writes nothing for a session that another holder has taken"],
    },
  },
  "a shard runs out of memory": {
    faults: ["heap"],
    tests: { "integration/stuck": ["names the shard that runs out of memory, and what it ran"] },
  },
  "the machine runs out of memory": { faults: ["kill-9"] },
};

/** The first cells of the table's rows. */
function rows(): readonly string[] {
  const text = readFileSync(new URL("src/README.md", ROOT), "utf8");
  const [, section = ""] = text.split("\n## Failures\n");
  const [table = ""] = section.split("\n## ");
  const cells = [...table.matchAll(/^\| (.*?) \|/gm)].map(([, cell = ""]) => cell);
  return cells.filter((cell) => cell !== "What happens" && cell !== "---");
}

describe("each row of Failures", () => {
  it("has a fault or a test", () => {
    assert.deepEqual(Object.keys(SHOWN), rows());
    for (const [row, { faults, tests }] of Object.entries(SHOWN)) assert.ok(faults ?? tests, row);
  });

  it("names faults that exist", () => {
    const known = new Set(FAULTS.map(({ name }) => name));
    const named = Object.values(SHOWN).flatMap(({ faults = [] }) => faults);
    assert.deepEqual(
      named.filter((name) => !known.has(name)),
      [],
    );
  });

  it("names tests that exist", () => {
    for (const { tests = {} } of Object.values(SHOWN)) {
      for (const [file, titles] of Object.entries(tests)) {
        const path = `test/${file}${file.endsWith(".contract") ? "" : ".test"}.ts`;
        const text = readFileSync(new URL(path, ROOT), "utf8");
        for (const title of titles) {
          const isThere = text.includes(`("${title}"`) || text.includes(`(\`${title}\``);
          assert.ok(isThere || text.includes(`\n    "${title}"`), `${path}: "${title}"`);
        }
      }
    }
  });
});
