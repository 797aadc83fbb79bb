/**
 * The example of a collaborative editor: documents converge, whatever shards, connections and writers do.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process, and Chromium is a
 * process of its own.
 * Slow: it starts a browser.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import type { Channel, Socket } from "phoenix";
import type { WebSocket } from "ws";
import * as Y from "yjs";

import { serve } from "../../src/index.ts";
import { noBrowser, startBrowser, type Browser, type Page } from "../support/browser.ts";
import { connectPhoenix, disconnect, push } from "../support/phoenix-client.ts";
import type { Server } from "../support/server.ts";
import { Watched } from "../support/watched.ts";
import { bundlePage } from "./editor/bundle.ts";
import { openDocument } from "./editor/client.ts";

/** How long a step of the page may take on a busy machine. */
const STEP_MS = 15_000;

let server: Server;
const writers: Writer[] = [];

/** A writer with the official client. */
class Writer {
  readonly socket: Socket;
  readonly document = new Y.Doc();
  readonly text = this.document.getText("text");
  readonly channel: Channel;
  readonly #seen = new Watched();

  private constructor(socket: Socket, name: string) {
    this.socket = socket;
    this.document.on("update", () => this.#seen.changed());
    socket.onMessage(() => this.#seen.changed());
    this.channel = openDocument(socket, name, this.document);
  }

  static async of(name: string): Promise<Writer> {
    const writer = new Writer(await connectPhoenix(server.port), name);
    writers.push(writer);
    return writer;
  }

  get shown(): string {
    return this.text.toJSON();
  }

  async joined(): Promise<void> {
    await this.until("the join", () => this.channel.state === "joined");
  }

  /** Waits until it has this text. */
  async has(text: string): Promise<void> {
    await this.until(`"${text}"`, () => this.shown === text);
  }

  async until(what: string, isSo: () => boolean): Promise<void> {
    await this.#seen.until(what, isSo);
  }

  /** Loses its connection, like a client out of reach. Returns a function that restores it. */
  async loseConnection(): Promise<() => void> {
    const gone = new Watched();
    this.socket.onClose(() => gone.changed());
    (this.socket.conn as WebSocket).terminate();
    await gone.until("the end of the connection", () => !this.socket.isConnected());
    this.socket.disconnect();
    return () => this.socket.connect();
  }
}

function allHave(...these: readonly Writer[]): (text: string) => Promise<void> {
  return async (text) => void (await Promise.all(these.map((writer) => writer.has(text))));
}

async function shows(page: Page, text: string): Promise<void> {
  await page.waitForFunction(`document.querySelector("#text").value === ${JSON.stringify(text)}`);
}

describe("the example of a collaborative editor", () => {
  before(async () => {
    server = await serve({
      app: new URL("./editor/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: 2,
      logLevel: "error",
      data: await bundlePage(),
    });
  });
  afterEach(async () => {
    await Promise.all(writers.splice(0).map(({ socket }) => disconnect(socket)));
  });
  after(() => server.close());

  it("shows the same text to all writers, whichever shard they are on", async () => {
    const [ann, bob] = [await Writer.of("two"), await Writer.of("two")] as const;
    ann.text.insert(0, "hello");
    await allHave(ann, bob)("hello");
    bob.text.insert(5, " world");
    ann.text.insert(0, "> ");
    await allHave(ann, bob)("> hello world");
  });

  it("shows the text to clients that join later, even if all writers have left", async () => {
    const ann = await Writer.of("late");
    ann.text.insert(0, "what there is");
    const cid = await Writer.of("late");
    await cid.has("what there is");
    await Promise.all(writers.splice(0).map(({ socket }) => disconnect(socket)));
    const [dan, eve] = [await Writer.of("late"), await Writer.of("late")] as const;
    await allHave(dan, eve)("what there is");
  });

  it("merges changes made on both sides while a connection was lost", async () => {
    const [ann, bob] = [await Writer.of("lost"), await Writer.of("lost")] as const;
    ann.text.insert(0, "one two three");
    await bob.has("one two three");
    const comeBack = await bob.loseConnection();
    bob.text.delete(4, 3);
    bob.text.insert(4, "2");
    ann.text.insert(13, " four");
    ann.text.delete(0, 3);
    ann.text.insert(0, "1");
    comeBack();
    await allHave(ann, bob)("1 2 three four");
  });

  it("converges if both write in the same place at the same time", async () => {
    const [ann, bob] = [await Writer.of("same"), await Writer.of("same")] as const;
    for (const one of [ann, bob]) await one.joined();
    for (let n = 0; n < 200; n += 1) {
      ann.text.insert(0, "a");
      bob.text.insert(0, "b");
    }
    const isWhole = ({ text }: Writer): boolean => text.length === 400;
    await Promise.all([ann, bob].map((one) => one.until("all", () => isWhole(one))));
    assert.equal(ann.shown, bob.shown);
  });

  it("refuses anything but updates, and continues", async () => {
    const [ann, bob] = [await Writer.of("bad"), await Writer.of("bad")] as const;
    ann.text.insert(0, "fine");
    await bob.has("fine");
    const { buffer: bytes } = Uint8Array.of(1, 2, 3, 255);
    for (const payload of [bytes, new ArrayBuffer(0), { text: "no bytes" }]) {
      await assert.rejects(push(ann.channel, "update", payload), /no update/);
    }
    await assert.rejects(push(ann.channel, "sync", {}), /bytes\?/);
    ann.text.insert(4, " still");
    await bob.has("fine still");
  });

  describe("as a page", { skip: noBrowser }, () => {
    let browser: Browser;
    before(async () => {
      browser = await startBrowser();
    });
    after(() => browser.close());

    async function opened(name: string): Promise<Page> {
      const page = await (await browser.newContext()).newPage();
      page.setDefaultTimeout(STEP_MS);
      page.on("pageerror", (error) => assert.fail(String(error)));
      await page.goto(`http://127.0.0.1:${server.port}/#${name}`);
      await page.locator('#state[data-state="here"]').waitFor();
      return page;
    }

    it("lets two tabs write at once, each at its own caret", async () => {
      const [one, two] = [await opened("tabs"), await opened("tabs")] as const;
      await one.locator("#text").pressSequentially("first\n");
      await shows(two, "first\n");
      await one.locator("#text").press("Home");
      await two.evaluate(`document.querySelector("#text").setSelectionRange(0, 0)`);
      await Promise.all([
        one.locator("#text").pressSequentially("below"),
        two.locator("#text").pressSequentially("above "),
      ]);
      for (const page of [one, two]) await shows(page, "above first\nbelow");
      for (let times = 0; times < 6; times += 1) await two.locator("#text").press("Delete");
      for (const page of [one, two]) await shows(page, "above below");
      const late = await Writer.of("tabs");
      await late.until("what the tabs show", () => late.shown.includes("below"));
    });
  });
});
