/**
 * Parses server-sent events as their bytes arrive. It is kept small, because pages load it, and only reads what Simurgh
 * sends, whose line ends are line feeds.
 *
 * Runs on: a client, in a browser or elsewhere.
 */

/** An event. Fields that it does not have are empty. */
export interface ParsedEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Parses one stream. */
export class EventParser {
  readonly #decoder = new TextDecoder();
  #text = "";
  /** The text before this index contains no end of an event. */
  #searched = 0;

  /** Returns the events that are complete with these bytes. Comments are left out. */
  take(bytes: Uint8Array): ParsedEvent[] {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    const events: ParsedEvent[] = [];
    let start = 0;
    for (;;) {
      const end = this.#text.indexOf("\n\n", Math.max(start, this.#searched));
      if (end < 0) break;
      const event = parse(this.#text.slice(start, end));
      if (event) events.push(event);
      start = end + 2;
    }
    this.#text = this.#text.slice(start);
    this.#searched = Math.max(0, this.#text.length - 1);
    return events;
  }
}

function parse(text: string): ParsedEvent | undefined {
  const fields: Record<string, string> = { id: "", event: "", data: "" };
  const data: string[] = [];
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon < 0 ? undefined : colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") data.push(value);
    else if (name !== "" && Object.hasOwn(fields, name)) fields[name] = value;
  }
  if (data.length === 0) return undefined;
  return { id: fields["id"] ?? "", event: fields["event"] ?? "", data: data.join("\n") };
}
