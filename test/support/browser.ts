/**
 * Chromium, driven by playwright-core, with types for the few calls that tests use.
 *
 * playwright's own types need the DOM's, which would then be visible everywhere.
 *
 * Runs on: the test's thread; Chromium is a process of its own.
 */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Why no browser is available here, or false if one is. For `skip` of a test. */
export const noBrowser: string | false = existsSync(CHROMIUM)
  ? false
  : `${CHROMIUM} is missing; on Debian, apt-get install chromium`;

/** Elements of a page, looked up at each use. */
export interface Locator {
  waitFor(options?: { readonly state: "visible" | "hidden" }): Promise<void>;
  nth(at: number): Locator;
  count(): Promise<number>;
  click(): Promise<void>;
  fill(text: string): Promise<void>;
  press(key: string): Promise<void>;
  /** Types text key by key. */
  pressSequentially(text: string): Promise<void>;
  innerText(): Promise<string>;
  getAttribute(name: string): Promise<string | null>;
  /** Moves the pointer to its center. */
  hover(): Promise<void>;
}

/** A tab. */
export interface Page {
  on(event: "pageerror", handler: (error: Error) => void): void;
  on(event: "request", handler: (request: { url(): string }) => void): void;
  on(event: "console", handler: (message: { type(): string; text(): string }) => void): void;
  setDefaultTimeout(timeoutMs: number): void;
  goto(url: string): Promise<unknown>;
  locator(selector: string, options?: { readonly hasText: string }): Locator;
  title(): Promise<string>;
  evaluate(script: string): Promise<unknown>;
  /** Waits until a script returns a truthy value. */
  waitForFunction(script: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Tabs that share storage and cookies. */
export interface Profile {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

/** A browser. */
export interface Browser {
  newContext(options?: {
    readonly viewport: { readonly width: number; readonly height: number };
    readonly colorScheme?: "light" | "dark";
  }): Promise<Profile>;
  close(): Promise<void>;
}

interface Playwright {
  readonly chromium: {
    launch(options: { executablePath: string; args: readonly string[] }): Promise<Browser>;
  };
}

/** Starts Chromium. */
export async function startBrowser(): Promise<Browser> {
  const require = createRequire(import.meta.url);
  const { chromium } = require("playwright-core") as Playwright;
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}
