/**
 * A client of the example transport event-stream, for the suite of transports. Each request has a connection of its own,
 * so that they reach all shards.
 *
 * Runs on: the test's thread.
 */

import { once } from "node:events";
import { request, type IncomingMessage, type RequestOptions } from "node:http";

import type {
  TransportConnect,
  TransportEvents,
  TransportTestClient,
} from "../../src/testing/index.ts";
import { REFUSALS } from "./transport-refusals.ts";

/** Begins to connect a client of `transportCases`. */
export function connectEvents(
  { port, path, params }: TransportConnect,
  events: TransportEvents,
): TransportTestClient {
  const query = new URLSearchParams(params).toString();
  const stream = request({
    host: "127.0.0.1",
    port,
    path: `${path}/events?${query}`,
    agent: false,
  });
  stream.on("error", () => {});
  stream.on("close", () => events.closed(1006));
  stream.end();
  let response: IncomingMessage | undefined;
  const opened = new Promise<string>((resolve, reject) => {
    stream.on("response", (given) => {
      response = given;
      const refusal = REFUSALS[given.statusCode ?? 0];
      if (refusal) events.refused(refusal);
      readEvents(given, (name, data) => {
        if (name === "open") resolve(data);
        else if (name === "close") events.closed(Number(data));
        else events.frame(data.startsWith("=") ? fromBase64(data) : data);
      });
    });
    stream.on("close", () => reject(new Error("the stream has ended")));
  });
  // Of a client that is refused, nobody waits for it.
  opened.catch(() => {});
  return {
    async send(frame) {
      const body = typeof frame === "string" ? frame : `=${Buffer.from(frame).toString("base64")}`;
      const status = await post({ port, path: await opened }, body);
      if (status !== 204) throw new Error(`a POST must be answered with 204, got ${status}`);
    },
    close: () => stream.destroy(),
    cut: () => stream.destroy(),
    pause: () => response?.pause(),
    resume: () => response?.resume(),
  };
}

async function post(to: RequestOptions, body: string): Promise<number | undefined> {
  const asked = request({ ...to, host: "127.0.0.1", method: "POST", agent: false });
  const responding = once(asked, "response") as Promise<[IncomingMessage]>;
  asked.end(body);
  const [response] = await responding;
  response.resume();
  return response.statusCode;
}

function readEvents(response: IncomingMessage, take: (name: string, data: string) => void): void {
  let text = "";
  response.on("error", () => {});
  response.setEncoding("utf8").on("data", (piece: string) => {
    const whole = (text + piece).split("\n\n");
    text = whole.pop() ?? "";
    for (const event of whole) {
      const [, name = "message"] = /^event: (.*)$/m.exec(event) ?? [];
      const data = [...event.matchAll(/^data: ?(.*)$/gm)].map(([, line]) => line);
      take(name, data.join("\n"));
    }
  });
}

function fromBase64(data: string): Uint8Array {
  return Buffer.from(data.slice(1), "base64");
}
