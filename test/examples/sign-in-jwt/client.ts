import type { Socket } from "phoenix";

/** The close code of an expired connection. */
const EXPIRED = 3000;

/** The page's current token, and how to get a new one. */
export class Tokens {
  current: string;
  readonly #refresh: () => Promise<string>;

  constructor(first: string, refresh: () => Promise<string>) {
    this.current = first;
    this.#refresh = refresh;
  }

  async refresh(): Promise<string> {
    this.current = await this.#refresh();
    return this.current;
  }
}

/**
 * Sends the server a new token when the current one is about to expire. The socket's `params` must be a
 * function, `params: () => ({ token: tokens.current })`, which it calls at each connect.
 */
export function keepSignedIn(socket: Socket, tokens: Tokens): void {
  const session = socket.channel("session");
  session.on("expiring", () => {
    void tokens.refresh().then((token) => session.push("renew", { token }));
  });
  session.join();
  // If that was missed, for example while a laptop slept, get a new token; the client reconnects by itself.
  socket.onClose((event) => {
    if (event?.code === EXPIRED) void tokens.refresh();
  });
}
