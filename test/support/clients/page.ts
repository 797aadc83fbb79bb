/**
 * A page of a browser, as far as clients of Phoenix look at it: a global object around their own build for script
 * tags, unchanged.
 *
 * Runs on: the main thread of the tests.
 * Owns: what the client makes of it. Timers, connections and requests end with the page, as they do in a browser:
 *       older clients leave some behind.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createContext, Script } from "node:vm";
import { WebSocket } from "ws";
import type { Channel, Presence, PresentAs, Socket } from "phoenix";

/** What a client's script defines. */
export interface Phoenix {
  readonly Socket: typeof Socket;
  readonly Channel: typeof Channel;
  readonly Presence: typeof Presence | PresenceFunctions;
  readonly LongPoll: unknown;
}

/** Who is there, by key. */
export type PresenceState = Readonly<Record<string, PresentAs>>;

/** What the oldest clients have in the place of a class. */
export interface PresenceFunctions {
  syncState(state: PresenceState, newer: PresenceState): PresenceState;
  syncDiff(
    state: PresenceState,
    diff: Readonly<Record<"joins" | "leaves", PresenceState>>,
  ): PresenceState;
  list<Shown>(state: PresenceState, choose: (key: string, presence: PresentAs) => Shown): Shown[];
}

/** What is used of a request here. */
interface Request {
  abort(): void;
}

const require = createRequire(import.meta.url);
const XMLHttpRequest = require("xhr2") as new () => Request;

// A page's own intrinsics would not do where the test's are compared or met: the client tells bytes by their
// constructor.
const SHARED = { ArrayBuffer, Uint8Array, JSON, TextEncoder, TextDecoder, atob, btoa, console };

const scripts = new Map<string, Script>();

/** The storage of a tab, which outlives its pages. */
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

  /** Leaves the page: nothing of it goes on. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const request of this.#requests) request.abort();
    for (const socket of this.#sockets) socket.terminate();
  }

  #timer(set: (callback: () => void, ms?: number) => NodeJS.Timeout) {
    return (callback: () => void, ms?: number): NodeJS.Timeout | undefined => {
      // What it hears of the end of its connections must not have it begin anew.
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

  // What a constructor returns is what `new` gives: an object of the package, and no other.
  #webSocket(): unknown {
    const sockets = this.#sockets;
    return function PageWebSocket(url: string, protocols?: string[]): WebSocket {
      const socket = new WebSocket(url, protocols);
      sockets.add(socket);
      // Without a listener `ws` throws; the client has one of its own, where it has not let go of it.
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
