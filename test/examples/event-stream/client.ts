/** An event of a stream. */
interface StreamEvent {
  readonly name: string;
  readonly data: string;
}

const [CONNECTING, OPEN, CLOSED] = [0, 1, 3];

/**
 * Server-sent events for the official client: `new Socket("/socket", { transport: EventStream })`.
 *
 * It only uses `fetch`, so it runs in browsers and in Node.js. The official client handles reconnects.
 */
export class EventStream {
  onopen: () => void = () => {};
  onerror: (error: unknown) => void = () => {};
  onmessage: (event: { readonly data: string | ArrayBuffer }) => void = () => {};
  onclose: (event: { readonly code: number; readonly wasClean: boolean }) => void = () => {};
  readyState = CONNECTING;
  readonly #url: string;
  readonly #ended = new AbortController();
  #postUrl: URL | undefined;
  #lines: string[] = [];
  #isPosting = false;

  constructor(endPoint: string) {
    this.#url = endPoint.replace(/^ws/, "http").replace("/websocket", "/events");
    // Deferred, because the client sets its callbacks after the constructor.
    setTimeout(() => void this.#read(), 0);
  }

  send(frame: string | ArrayBuffer): void {
    this.#lines.push(typeof frame === "string" ? frame : `=${toBase64(frame)}`);
    if (!this.#isPosting) void this.#post();
  }

  close(code = 1000): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.#ended.abort();
    this.onclose({ code, wasClean: code === 1000 });
  }

  async #read(): Promise<void> {
    try {
      const response = await fetch(this.#url, { signal: this.#ended.signal });
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      for await (const event of eventsOf(response.body)) this.#take(event);
      this.close(1006);
    } catch (error) {
      this.#fail(error);
    }
  }

  #take({ name, data }: StreamEvent): void {
    if (name === "close") this.close(Number(data));
    else if (name === "open") {
      this.#postUrl = new URL(data, this.#url);
      this.readyState = OPEN;
      this.onopen();
    } else this.onmessage({ data: data.startsWith("=") ? fromBase64(data.slice(1)) : data });
  }

  // Sends one request at a time, so that no frame overtakes another.
  async #post(): Promise<void> {
    this.#isPosting = true;
    try {
      while (this.#postUrl && this.#lines.length > 0) {
        const body = this.#lines.splice(0).join("\n");
        const { signal } = this.#ended;
        const { ok, status } = await fetch(this.#postUrl, { method: "POST", body, signal });
        if (!ok) throw new Error(`status ${status}`);
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#isPosting = false;
  }

  #fail(error: unknown): void {
    if (this.readyState === CLOSED) return;
    this.onerror(error);
    this.close(1006);
  }
}

/**
 * Parses events: lines `name: value`, with an empty line after each event.
 *
 * @yields each event
 */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      const [, name = "message"] = /^event: (.*)$/m.exec(event) ?? [];
      const lines = [...event.matchAll(/^data: (.*)$/gm)].map(([, line]) => line);
      yield { name, data: lines.join("\n") };
    }
  }
}

function toBase64(bytes: ArrayBuffer): string {
  return btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""));
}

function fromBase64(text: string): ArrayBuffer {
  return Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0)).buffer;
}
