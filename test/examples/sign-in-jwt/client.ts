import type { Socket } from "phoenix";

/** The close of a connection whose time was over. */
const EXPIRED = 3000;

/** The page's token: what it is now, and how there is a new one. */
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
 * Shows the server a new token when the one it has is about to end. The socket is one whose parameters
 * are a function, `params: () => ({ token: tokens.current })`: it asks for them at each connect.
 */
export function keepSignedIn(socket: Socket, tokens: Tokens): void {
  const session = socket.channel("session");
  session.on("expiring", () => {
    void tokens.refresh().then((token) => session.push("renew", { token }));
  });
  session.join();
  // Where that was missed, as by a laptop that slept: the client connects anew by itself.
  socket.onClose((event) => {
    if (event?.code === EXPIRED) void tokens.refresh();
  });
}
