/**
 * The demo page in a real browser, with the official `phoenix` client unchanged.
 *
 * Runs on: the test's thread; the server and Chromium are processes of their own.
 * Slow: it starts a browser.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import {
  noBrowser,
  startBrowser,
  type Browser,
  type Page,
  type Profile,
} from "../support/browser.ts";
import { CommandLine } from "../support/command-line.ts";
import { freePort } from "../support/server.ts";

/** What a loaded machine may take for a step of the page. */
const STEP_MS = 15_000;

async function started(port: number): Promise<CommandLine> {
  const args = ["demo", "--host", "127.0.0.1", "--shards", "2", "--port", String(port)];
  const command = new CommandLine(args);
  await command.port();
  return command;
}

/** One tab of the chat. */
class Tab {
  readonly page: Page;
  readonly errors: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
  }

  static async opened(context: Profile, port: number, hash = ""): Promise<Tab> {
    const page = await context.newPage();
    page.setDefaultTimeout(STEP_MS);
    const tab = new Tab(page);
    await page.goto(`http://127.0.0.1:${port}/${hash}`);
    await page.locator("#shard").waitFor();
    return tab;
  }

  async shard(): Promise<string> {
    return (await this.page.locator("#shard").getAttribute("data-shard")) ?? "none";
  }

  /** Connects anew until the tab is served by another shard than this. */
  async moveFrom(shard: string): Promise<void> {
    for (let tries = 0; tries < 4 && (await this.shard()) === shard; tries += 1) {
      const notes = this.page.locator(".note", { hasText: "you joined" });
      const count = await notes.count();
      await this.page.locator("#shard").click();
      await notes.nth(count).waitFor();
    }
  }

  async say(text: string): Promise<void> {
    await this.page.locator("#body").fill(text);
    await this.page.locator("#body").press("Enter");
  }

  /** Waits for the message, and gives what its line says. */
  async heard(text: string): Promise<string> {
    const line = this.page.locator(".message", { hasText: text });
    await line.waitFor();
    return line.innerText();
  }

  async state(state: string): Promise<void> {
    await this.page.locator(`#state[data-state="${state}"]`).waitFor();
  }

  async problem(text: string): Promise<void> {
    await this.page.locator("#problem", { hasText: text }).waitFor();
  }
}

describe("the demo page", { skip: noBrowser }, () => {
  let browser: Browser;
  let context: Profile;
  let command: CommandLine;
  let port: number;

  before(async () => {
    port = await freePort();
    command = await started(port);
    browser = await startBrowser();
    context = await browser.newContext();
  });
  after(async () => {
    await browser?.close();
    await command?.[Symbol.asyncDispose]();
  });

  it("has two tabs talk to each other, each with the shard that serves it", async () => {
    const one = await Tab.opened(context, port);
    const two = await Tab.opened(context, port);
    await two.moveFrom(await one.shard());
    assert.notEqual(await two.shard(), await one.shard());
    await one.say("hello from one");
    await two.say("hello from two");
    for (const tab of [one, two]) {
      assert.ok((await tab.heard("hello from one")).includes(`shard ${await one.shard()}`));
      assert.ok((await tab.heard("hello from two")).includes(`shard ${await two.shard()}`));
    }
    assert.equal(await one.page.locator(".message.mine").count(), 1);
    assert.deepEqual([one.errors, two.errors], [[], []]);
  });

  it("shows who is in the room, under the names that they have now", async () => {
    const [one, two] = [
      await Tab.opened(context, port, "#who-is-here"),
      await Tab.opened(context, port, "#who-is-here"),
    ];
    await two.page.locator("#name").fill("the Hoopoe");
    await two.page.locator("#name").press("Enter");
    const who = one.page.locator("#who li");
    await who.nth(1).waitFor();
    await one.page.locator("#who li", { hasText: "the Hoopoe" }).waitFor();
    assert.equal(await who.count(), 2);
    await two.page.close();
    await one.page.locator("#who li", { hasText: "the Hoopoe" }).waitFor({ state: "hidden" });
    assert.equal(await who.count(), 1);
    assert.deepEqual(one.errors, []);
  });

  it("shows HTML as the text that it is", async () => {
    const tab = await Tab.opened(context, port, "#aviary");
    const html = '<img src=x onerror="document.title = 1">';
    await tab.say(html);
    assert.ok((await tab.heard("onerror")).includes(html));
    assert.equal(await tab.page.title(), "Simurgh chat");
    assert.equal(await tab.page.locator("#messages img").count(), 0);
    assert.deepEqual(tab.errors, []);
  });

  it("shows what the server says of bad input, and goes on", async () => {
    const tab = await Tab.opened(context, port, "#mount-qaf");
    await tab.say("   ");
    await tab.problem("a message must have 1 to 500 characters, got 0");
    await tab.say("x".repeat(501));
    await tab.problem("a message must have 1 to 500 characters, got 501");
    await tab.page.locator("#room-name").fill("No Such Room");
    await tab.page.locator("#room-name").press("Enter");
    await tab.problem("a room must have 1 to 24 of the characters");
    await tab.say("now it is fine");
    await tab.heard("now it is fine");
    await tab.page.locator("#problem").waitFor({ state: "hidden" });
  });

  it("fits a phone", async () => {
    const phone = await browser.newContext({ viewport: { width: 320, height: 600 } });
    const tab = await Tab.opened(phone, port);
    await tab.say("w".repeat(400));
    await tab.heard("wwww");
    const overflow = await tab.page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    assert.equal(overflow, 0);
    await phone.close();
  });

  it("comes back after the server was started anew on its port", async () => {
    const one = await Tab.opened(context, port, "#later");
    const two = await Tab.opened(context, port, "#later");
    command.kill("SIGTERM");
    assert.equal((await command.ended()).code, 0);
    await Promise.all([one.state("reconnecting"), two.state("reconnecting")]);
    command = await started(port);
    await Promise.all([one.state("connected"), two.state("connected")]);
    const back = one.page.locator(".note", { hasText: "you joined" });
    await back.nth(1).waitFor();
    await two.page.locator(".note", { hasText: "you joined" }).nth(1).waitFor();
    await one.say("back again");
    await two.heard("back again");
  });
});
