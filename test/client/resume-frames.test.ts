/**
 * Channels of `simurgh/client`, and the lines of the guide, against a server that answers frame by frame: what a
 * channel asks for, and what it does with broadcasts that arrive while it joins.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, describe, it } from "node:test";

import type { Channel, Push, Socket } from "phoenix";
import { WebSocketServer, type WebSocket } from "ws";

import type app from "../apps/histories.ts";
import { Client } from "../../src/client/index.ts";
import { within } from "../support/deadline.ts";
import { connectPhoenix, disconnect } from "../support/phoenix-client.ts";

type Frame = readonly [string | null, string | null, string, string, Record<string, unknown>];
type Recovered = (how: { readonly recovered: boolean; readonly count: number }) => void;

const TOPIC = "long:frames";
const { joinResuming } = (await import(
  new URL("../../../test/examples/history/resume.mjs", import.meta.url).href
)) as {
  joinResuming: (
    socket: Socket,
    topic: string,
    params: () => object,
    onRecovered: Recovered,
  ) => { channel: Channel; join: Push };
};

/** The server's end of the newest connection. */
class Script {
  readonly #frames: Frame[] = [];
  readonly #ws: WebSocket;
  #wake: () => void = () => {};

  constructor(ws: WebSocket) {
    this.#ws = ws;
    ws.on("message", (data: Buffer) => {
      this.#frames.push(JSON.parse(data.toString()) as Frame);
      this.#wake();
    });
  }

  /** Waits for the next frame of the channel. */
  async next(): Promise<Frame> {
    while (this.#frames.length === 0) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(woken, "a frame of the client");
    }
    return this.#frames.shift() as Frame;
  }

  say(text: string, offset: number | null): void {
    const ref = offset === null ? null : String(offset);
    this.#ws.send(JSON.stringify([null, ref, TOPIC, "said", { text }]));
  }

  /** Answers a join; `at` is undefined if the topic has no history. */
  accept([joinRef, ref]: Frame, at?: number, how = { recovered: true, count: 0 }): void {
    const history = at === undefined ? {} : { history: { epoch: "e", offset: String(at), ...how } };
    const reply = { status: "ok", response: history };
    this.#ws.send(JSON.stringify([joinRef, ref, TOPIC, "phx_reply", reply]));
  }

  crash([joinRef]: Frame): void {
    this.#ws.send(JSON.stringify([joinRef, joinRef, TOPIC, "phx_error", {}]));
  }

  cut(): void {
    this.#ws.terminate();
  }
}

/** What a channel has heard, and how each of its joins went. */
class Heard {
  readonly texts: string[] = [];
  readonly recovered: boolean[] = [];
  #wake: () => void = () => {};

  readonly said = (payload: unknown): void => {
    this.texts.push((payload as { text: string }).text);
    this.#wake();
  };

  readonly joined: Recovered = ({ recovered }) => {
    this.recovered.push(recovered);
  };

  /** Waits until it has heard a number of texts. */
  async until(count: number): Promise<void> {
    while (this.texts.length < count) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(woken, `text ${this.texts.length + 1}`);
    }
  }
}

const HOW: Readonly<Record<string, (socket: Socket, heard: Heard) => void>> = {
  "simurgh/client": (socket, heard) => {
    const channel = new Client<typeof app>(socket).channel(TOPIC);
    channel.onRecovered(heard.joined);
    channel.channel.on("said", heard.said);
    void channel.join();
  },
  "the lines of the guide": (socket, heard) => {
    const { channel } = joinResuming(socket, TOPIC, () => ({}), heard.joined);
    channel.on("said", heard.said);
  },
};

for (const [name, start] of Object.entries(HOW)) {
  describe(`A channel that resumes by ${name}`, () => {
    let server: WebSocketServer;
    let socket: Socket;
    before(async () => {
      server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
      await once(server, "listening");
    });
    after(() => server.close());
    afterEach(() => disconnect(socket));

    /** Waits for the next connection. */
    async function connection(): Promise<Script> {
      const [ws] = (await within(once(server, "connection"), "a connection")) as [WebSocket];
      return new Script(ws);
    }

    async function started(heard: Heard): Promise<Script> {
      const { port } = server.address() as AddressInfo;
      const opened = connection();
      socket = await connectPhoenix(
        port,
        {},
        { rejoinAfterMs: () => 5, heartbeatIntervalMs: 60_000 },
      );
      start(socket, heard);
      return opened;
    }

    it("leaves out what arrives while it joins, since it comes again, and asks after what it got", async () => {
      const heard = new Heard();
      const first = await started(heard);
      const join = await first.next();
      assert.ok("history" in join[4]);
      first.say("early", 1_000_000_000_001);
      first.accept(join, 1_000_000_000_001);
      first.say("a", 1_000_000_000_002);
      first.say("not kept", null);
      await heard.until(2);

      // The channel ends, and what was on its way arrives while it joins again.
      const again = connection();
      first.crash(join);
      const rejoin = await first.next();
      const asked = rejoin[4]["history"] as { epoch: string; offset: string };
      assert.deepEqual([asked.epoch, asked.offset], ["e", "1000000000002"]);
      first.say("b, of the channel before", 1_000_000_000_003);
      first.accept(rejoin, 1_000_000_000_002, { recovered: true, count: 1 });
      first.say("b", 1_000_000_000_003);
      await heard.until(3);

      // The connection ends while a replay is being sent.
      first.cut();
      const second = await again;
      const back = await second.next();
      assert.equal((back[4]["history"] as { offset: string }).offset, "1000000000003");
      second.accept(back, 1_000_000_000_003);
      second.say("c", 1_000_000_000_004);
      await heard.until(4);
      assert.deepEqual(heard.texts, ["a", "not kept", "b", "c"]);
      assert.deepEqual(heard.recovered, [true, true, true]);
    });

    it("is told that nothing is recovered by a server that does not keep its topic any more", async () => {
      const heard = new Heard();
      const first = await started(heard);
      first.accept(await first.next(), 1_000_000_000_000);
      first.say("a", 1_000_000_000_001);
      await heard.until(1);
      const again = connection();
      first.cut();
      const second = await again;
      second.accept(await second.next());
      second.say("b", null);
      await heard.until(2);
      assert.deepEqual(heard.texts, ["a", "b"]);
      assert.deepEqual(heard.recovered, [true, false]);
    });
  });
}

describe("A channel of simurgh/client whose server forgets its history", () => {
  it("asks with its position as something optional, and then as at first", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(server, "listening");
    const connection = once(server, "connection") as Promise<[WebSocket]>;
    const { port } = server.address() as AddressInfo;
    const socket = await connectPhoenix(port, {}, { rejoinAfterMs: () => 5 });
    const [ws] = await connection;
    const script = new Script(ws);
    const channel = new Client<typeof app>(socket).channel(TOPIC, { history: { last: 5 } });
    const joined = channel.join();
    const join = await script.next();
    assert.deepEqual(join[4], { history: { last: 5 } });
    script.accept(join, 1_000_000_000_000);
    await joined;
    script.crash(join);
    const rejoin = await script.next();
    const position = { epoch: "e", offset: "1000000000000" };
    assert.deepEqual(rejoin[4], { history: { last: 5, ...position, optional: true } });
    script.accept(rejoin);
    script.crash(rejoin);
    assert.deepEqual((await script.next())[4], { history: { last: 5 } });
    await disconnect(socket);
    server.close();
  });
});
