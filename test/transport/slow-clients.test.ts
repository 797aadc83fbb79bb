import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";

import { Logger } from "../../src/logger.ts";
import { SlowClients } from "../../src/transport/slow-clients.ts";
import type { WebSocketConnection } from "../../src/transport/websocket-connection.ts";
import { turn } from "../support/world.ts";

/** As much of a connection as is looked at. */
interface Reader {
  readonly id: number;
  bufferedBytes: number;
  isOpen: boolean;
  cuts: number;
  looks: number;
}

function makeReader(bufferedBytes: number): Reader & WebSocketConnection {
  const reader = {
    id: 7,
    isOpen: true,
    cuts: 0,
    looks: 0,
    get bufferedBytes() {
      reader.looks += 1;
      return bufferedBytes;
    },
    cut() {
      reader.cuts += 1;
      reader.isOpen = false;
    },
  };
  return reader as unknown as Reader & WebSocketConnection;
}

function makeSlowClients(): { slowClients: SlowClients; log: string[] } {
  const log: string[] = [];
  const note = (_: object, text: string): void => void log.push(text);
  const logger = new Logger("debug", { debug: note, info: note, warn: note, error: note });
  return { slowClients: new SlowClients(1_000, logger), log };
}

describe("a client that reads slowly", () => {
  it("is looked at when the turn ends, not from within the engine's call", async () => {
    const { slowClients } = makeSlowClients();
    const reader = makeReader(2_000);
    slowClients.note(reader, false);
    assert.deepEqual([reader.looks, reader.cuts], [0, 0]);
    await turn();
    assert.equal(reader.cuts, 1);
  });

  it("is cut beyond the limit, and not at it", async () => {
    const { slowClients, log } = makeSlowClients();
    const [at, beyond] = [makeReader(1_000), makeReader(1_001)];
    slowClients.note(at, false);
    slowClients.note(beyond, false);
    await turn();
    assert.deepEqual([at.cuts, beyond.cuts], [0, 1]);
    assert.deepEqual(log, ["a client reads too slowly: its connection was cut"]);
  });

  it("is cut whatever waits, where the engine skipped something", async () => {
    const { slowClients } = makeSlowClients();
    const reader = makeReader(0);
    slowClients.note(reader, true);
    slowClients.note(reader, false);
    await turn();
    assert.equal(reader.cuts, 1);
  });

  it("is looked at once, however often it was noted", async () => {
    const { slowClients } = makeSlowClients();
    const reader = makeReader(500);
    for (let n = 0; n < 5; n += 1) slowClients.note(reader, false);
    await turn();
    assert.equal(reader.looks, 1);
    slowClients.note(reader, false);
    await turn();
    assert.equal(reader.looks, 2);
  });

  it("that is gone already is left alone", async () => {
    const { slowClients, log } = makeSlowClients();
    const reader = makeReader(2_000);
    slowClients.note(reader, true);
    reader.isOpen = false;
    await turn();
    assert.deepEqual([reader.cuts, log], [0, []]);
  });

  it("is told to telemetry with what waited", () => {
    const events: unknown[] = [];
    const take = (event: unknown): void => void events.push(event);
    const { slowClients } = makeSlowClients();
    subscribe("simurgh:slow_client", take);
    slowClients.check(makeReader(1_001));
    unsubscribe("simurgh:slow_client", take);
    assert.deepEqual(events, [{ connection: 7, bufferedBytes: 1_001 }]);
  });
});
