/**
 * A browser page, as far as Phoenix clients use it: a global object around their own, unchanged build for script
 * tags.
 *
 * Runs on: the main thread of the tests.
 * Owns: the timers, connections and requests that the client creates. They end with the page, as in a browser,
 *       because older clients leave some behind.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createContext, Script } from "node:vm";
import { WebSocket } from "ws";
import type { Channel, Presence, PresentAs, Socket } from "phoenix";

/** The global that a client's script defines. */
export interface Phoenix {
  readonly Socket: typeof Socket;
  readonly Channel: typeof Channel;
  readonly Presence: typeof Presence | PresenceFunctions;
  readonly LongPoll: unknown;
}

/** Presences by key. */
export type PresenceState = Readonly<Record<string, PresentAs>>;

/** The functions that the oldest clients have instead of a class. */
export interface PresenceFunctions {
  syncState(state: PresenceState, newer: PresenceState): PresenceState;
  syncDiff(
    state: PresenceState,
    diff: Readonly<Record<"joins" | "leaves", PresenceState>>,
  ): PresenceState;
  list<Shown>(state: PresenceState, choose: (key: string, presence: PresentAs) => Shown): Shown[];
}

/** The part of a request that is used here. */
interface Request {
  abort(): void;
}

const require = createRequire(import.meta.url);
const XMLHttpRequest = require("xhr2") as new () => Request;

// Shared with the test rather than the page's own, because the client recognizes bytes by their constructor, and
// tests compare values.
const SHARED = { ArrayBuffer, Uint8Array, JSON, TextEncoder, TextDecoder, atob, btoa, console };

const scripts = new Map<string, Script>();

/** The session storage of a tab, which outlives its pages. */
export class SessionStorage {
  readonly items = new Map<string, string>();

  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }

  removeItem(key: string): void {
    this.items.delete(key);
  }
}

/** A page with a client on it. */
export class Page {
  readonly phoenix: Phoenix;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #sockets = new Set<WebSocket>();
  readonly #requests = new Set<Request>();
  #isClosed = false;

  /** @param entry - URL of the client's package */
  constructor(entry: string, sessionStorage = new SessionStorage()) {
    const globals: Record<string, unknown> = {
      ...SHARED,
      sessionStorage,
      setTimeout: this.#timer(setTimeout),
      setInterval: this.#timer(setInterval),
      clearTimeout: this.#clear,
      clearInterval: this.#clear,
      WebSocket: this.#webSocket(),
      XMLHttpRequest: this.#request(),
    };
    globals["window"] = globals;
    globals["self"] = globals;
    scriptOf(entry).runInContext(createContext(globals));
    this.phoenix = globals["Phoenix"] as Phoenix;
  }

  /** Leaves the page, which ends everything on it. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const request of this.#requests) request.abort();
    for (const socket of this.#sockets) socket.terminate();
  }

  #timer(set: (callback: () => void, ms?: number) => NodeJS.Timeout) {
    return (callback: () => void, ms?: number): NodeJS.Timeout | undefined => {
      // The client must not start again when it notices that its connections have ended.
      if (this.#isClosed) return undefined;
      const timer = set(callback, ms);
      this.#timers.add(timer);
      return timer;
    };
  }

  readonly #clear = (timer: NodeJS.Timeout | undefined): void => {
    clearTimeout(timer);
    if (timer) this.#timers.delete(timer);
  };

  // A constructor's return value is the result of `new`: an object of the package.
  #webSocket(): unknown {
    const sockets = this.#sockets;
    return function PageWebSocket(url: string, protocols?: string[]): WebSocket {
      const socket = new WebSocket(url, protocols);
      sockets.add(socket);
      // Without a listener, `ws` would throw. The client may have removed its own.
      socket.on("error", () => undefined);
      return socket;
    };
  }

  #request(): unknown {
    const requests = this.#requests;
    return function PageRequest(): Request {
      const request = new XMLHttpRequest();
      requests.add(request);
      return request;
    };
  }
}

function scriptOf(entry: string): Script {
  const url = new URL("phoenix.js", entry);
  const script =
    scripts.get(url.href) ?? new Script(readFileSync(url, "utf8"), { filename: url.href });
  scripts.set(url.href, script);
  return script;
}
