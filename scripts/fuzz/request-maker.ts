/**
 * Makes HTTP requests: those that must be answered, and those that break the protocol.
 *
 * Runs on: the fuzzer's process. Pure: the same random choices make the same requests.
 */

import type { Random } from "../suites/random.ts";
import { mutateBytes } from "./byte-mutations.ts";
import type { Corpus } from "./corpus.ts";

/** A request that must be answered. */
export interface MadeRequest {
  readonly bytes: Buffer;
  /** Whether the answer has no body, whatever its headers say. */
  readonly isHead: boolean;
  /**
   * Whether the answer may wait for something. Then no request may follow before it: the engine
   * closes a connection that sends one.
   */
  readonly mayWait: boolean;
  /** Checks the answer. Undefined if any status is right. */
  readonly check?: (status: number, body: string) => boolean;
}

/** Bytes that break the protocol, or are no complete request. */
export interface MadeBreaker {
  readonly name: string;
  /** The packets. */
  readonly packets: readonly Buffer[];
  /** Whether the client then closes its side only. */
  readonly halfCloses: boolean;
}

const VALUES = [
  "",
  "1",
  "%",
  "%zz",
  "%00",
  "%F0%9F%98%80",
  "%ff",
  "+",
  "é",
  "null",
  "__proto__",
  "..",
  "x".repeat(500),
];
const NAMES = [
  "a",
  "n",
  "vsn",
  "token",
  "user_id",
  "a[]",
  "a[b]",
  "a[b][c]",
  "a[b",
  "[",
  "]",
  "__proto__[x]",
  "%61",
  "",
];
const SEPARATORS = ["&", "&", "&", "&&", ";", "&="];
const METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"];
const HEADER_NAMES = [
  "Accept",
  "Cookie",
  "Origin",
  "X-Forwarded-For",
  "X-Custom",
  "User-Agent",
  "Referer",
  "Sec-WebSocket-Protocol",
  "Authorization",
  "Content-Type",
  "x-phoenix-auth",
];
const HEADER_VALUES = [
  "",
  "*/*",
  "a=b; c=d",
  "http://localhost",
  "null",
  "http://[::1",
  "1.2.3.4, 5.6.7.8",
  "é",
  "%00",
  "phoenix, base64url.bearer.phx.AAAA",
  "application/x-ndjson",
  "x".repeat(1_000),
  ",,,;;;",
];
const MAX_BODY_BYTES = 5_000;
/** Paths of answers that may wait. */
const WAITING = /longpoll|websocket|late|length/i;

/** Makes requests of one connection. */
export class RequestMaker {
  readonly #random: Random;
  readonly #corpus: Corpus;

  constructor(random: Random, corpus: Corpus) {
    this.#random = random;
    this.#corpus = corpus;
  }

  /** Makes the request of the checks. */
  numbered(n: number): MadeRequest {
    const bytes = Buffer.from(`GET /echo?n=${n} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const wanted = JSON.stringify({ n: String(n) });
    return {
      bytes,
      isHead: false,
      mayWait: false,
      check: (status, body) => status === 200 && body === wanted,
    };
  }

  /**
   * Makes a request that must be answered.
   *
   * @param token - of a long-poll session, if there is one
   */
  make(token: string | undefined): MadeRequest {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 35) return this.#request("GET", this.#target());
    if (dice < 45) return this.#request("GET", `/echo?n=1&${this.#query()}`);
    if (dice < 55) return this.#sized();
    if (dice < 60) return this.#chunked();
    if (dice < 65) return this.#request(random.pick(METHODS), this.#target());
    if (dice < 70)
      return this.#request(
        random.pick(["GET", "HEAD"]),
        random.pick(["/late", "/crash", "/nowhere", "/room/a/b", "/room/%2F/%", "/"]),
      );
    if (dice < 78 || token === undefined) return this.session();
    return this.#longPoll(token);
  }

  /** Opens a long-poll session. */
  session(): MadeRequest {
    const mount = this.#random.pick(["/socket", "/socket", "/raw"]);
    return this.#request("GET", `${mount}/longpoll?vsn=2.0.0&${this.#query()}`);
  }

  makeBreaker(): MadeBreaker {
    const random = this.#random;
    const [name, make] = random.pick(BREAKERS);
    const valid = this.#request("GET", this.#target()).bytes;
    const bytes = make(random, valid);
    const at = random.below(bytes.length + 1);
    const packets = [bytes.subarray(0, at), bytes.subarray(at)];
    return { name, packets, halfCloses: random.chance(0.2) };
  }

  #target(): string {
    const random = this.#random;
    const target = random.pick(this.#corpus.targets);
    if (random.chance(0.3)) return clean(mutateBytes(random, Buffer.from(target)));
    const [path = "/"] = target.split("?");
    return random.chance(0.5) ? target : `${path}?${this.#query()}`;
  }

  #query(): string {
    const random = this.#random;
    let query = "";
    for (let left = random.below(6); left > 0; left--) {
      query += `${random.pick(NAMES)}=${random.pick(VALUES)}${random.pick(SEPARATORS)}`;
    }
    return clean(Buffer.from(query));
  }

  #headers(): string {
    const random = this.#random;
    let lines = "";
    for (let left = random.below(4); left > 0; left--) {
      lines += `${random.pick(HEADER_NAMES)}: ${random.pick(HEADER_VALUES)}\r\n`;
    }
    return lines;
  }

  #request(method: string, target: string): MadeRequest {
    const path = target.startsWith("/") ? target : `/${target}`;
    const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${this.#headers()}`;
    const isEmpty = method === "GET" || method === "HEAD" || method === "OPTIONS";
    const length = isEmpty ? "" : "Content-Length: 0\r\n";
    return {
      bytes: Buffer.from(`${head}${length}\r\n`),
      isHead: method === "HEAD",
      mayWait: WAITING.test(path),
    };
  }

  #sized(): MadeRequest {
    const body = this.#random.bytes(this.#random.below(MAX_BODY_BYTES));
    const head = `POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`;
    return this.#measured(Buffer.concat([Buffer.from(head), body]), body.length);
  }

  #chunked(): MadeRequest {
    const random = this.#random;
    const parts = [
      "POST /length HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    ];
    let length = 0;
    for (let left = random.below(6); left > 0; left--) {
      const chunk = "y".repeat(random.between(1, 500));
      parts.push(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
      length += chunk.length;
    }
    parts.push("0\r\n\r\n");
    return this.#measured(Buffer.from(parts.join("")), length);
  }

  #measured(bytes: Buffer, length: number): MadeRequest {
    const wanted = JSON.stringify({ length });
    return {
      bytes,
      isHead: false,
      mayWait: true,
      check: (status, body) => status === 200 && body === wanted,
    };
  }

  #longPoll(token: string): MadeRequest {
    const random = this.#random;
    const sent = random.chance(0.1) ? clean(mutateBytes(random, Buffer.from(token))) : token;
    const path = `/socket/longpoll?vsn=2.0.0&token=${sent}`;
    if (random.chance(0.3)) return this.#request("GET", path);
    const picked = random.pick(this.#corpus.bodies);
    const body = random.chance(0.5) ? picked : mutateBytes(random, picked);
    const type = random.pick([
      "",
      "Content-Type: application/x-ndjson\r\n",
      "Content-Type: text/plain\r\n",
    ]);
    const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${type}Content-Length: ${body.length}\r\n\r\n`;
    return { bytes: Buffer.concat([Buffer.from(head), body]), isHead: false, mayWait: true };
  }
}

/** Returns text without characters that end a request line. */
function clean(bytes: Buffer): string {
  return bytes.toString("latin1").replaceAll(/[^!-~]/g, "%");
}

const HOST = "Host: localhost\r\n";
const UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
const BAD_LENGTHS = [
  "-1",
  "1e3",
  "0x10",
  "99999999999999999999",
  "4294967296",
  "1, 1",
  " ",
  "+5",
  "8000001",
];
const BAD_CHUNKS = [
  "zz\r\n",
  "-1\r\n",
  "ffffffffffffffff\r\n",
  "5;x=y\r\nhello\r\n0\r\n\r\n",
  "5\r\nhel",
  "\r\n",
  "0\r\nTrailer: x\r\n\r\n",
  "5\nhello\n0\n\n",
];
const BAD_HANDSHAKES = [
  `${HOST}${UPGRADE}\r\n`,
  `${HOST}${KEY}\r\n`,
  `${UPGRADE}${KEY}\r\n`,
  `${HOST}${UPGRADE}Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  `${HOST}${UPGRADE}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 12\r\n\r\n`,
  `${HOST}${UPGRADE}${KEY}Origin: http://elsewhere\r\n\r\n`,
  `${HOST}${UPGRADE}${KEY}Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99; x\r\n\r\n`,
  `${HOST}${UPGRADE}${KEY}Sec-WebSocket-Protocol: ,,\r\n\r\n`,
  `${HOST}${UPGRADE}${KEY}Cookie: ${"x=y; ".repeat(500)}\r\n\r\n`,
  `${HOST}${UPGRADE}${KEY}Content-Length: 5\r\n\r\nhello`,
];

/** What breaks a connection, by the name in reports. */
const BREAKERS: readonly (readonly [string, (random: Random, valid: Buffer) => Buffer])[] = [
  ["bytes of a request", (random, valid) => mutateBytes(random, valid)],
  ["random bytes", (random) => random.bytes(random.between(1, 2_000))],
  ["a head without an end", (_random, valid) => valid.subarray(0, -2)],
  ["part of a head", (random, valid) => valid.subarray(0, random.below(valid.length))],
  [
    "many requests at once",
    (random, valid) => Buffer.concat(Array.from({ length: random.between(2, 300) }, () => valid)),
  ],
  [
    "a request and part of a body",
    (random) =>
      Buffer.from(
        `POST /length HTTP/1.1\r\n${HOST}Content-Length: 5000\r\n\r\n${"x".repeat(random.below(5_000))}`,
      ),
  ],
  [
    "a bad length",
    (random) =>
      Buffer.from(
        `POST /length HTTP/1.1\r\n${HOST}Content-Length: ${random.pick(BAD_LENGTHS)}\r\n\r\nhello`,
      ),
  ],
  [
    "two lengths",
    () =>
      Buffer.from(
        `POST /length HTTP/1.1\r\n${HOST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
      ),
  ],
  [
    "length and chunks",
    () =>
      Buffer.from(
        `POST /length HTTP/1.1\r\n${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
      ),
  ],
  [
    "bad chunks",
    (random) =>
      Buffer.from(
        `POST /length HTTP/1.1\r\n${HOST}Transfer-Encoding: ${random.pick(["chunked", "gzip, chunked", "identity", "chunked, chunked", "x"])}\r\n\r\n${random.pick(BAD_CHUNKS)}`,
      ),
  ],
  [
    "a head that is too large",
    (random) =>
      Buffer.from(
        `GET /echo HTTP/1.1\r\n${HOST}X: ${"x".repeat(random.pick([4_000, 16_000, 16_384, 20_000, 100_000]))}\r\n\r\n`,
      ),
  ],
  [
    "many headers",
    (random) =>
      Buffer.from(
        `GET /echo HTTP/1.1\r\n${HOST}${"X: y\r\n".repeat(random.pick([50, 99, 100, 101, 1_000]))}\r\n`,
      ),
  ],
  [
    "a target that is too large",
    (random) =>
      Buffer.from(
        `GET /echo?n=${"x".repeat(random.pick([4_000, 16_000, 70_000]))} HTTP/1.1\r\n${HOST}\r\n`,
      ),
  ],
  [
    "another version",
    (random) =>
      Buffer.from(
        `GET /echo ${random.pick(["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "http/1.1", "", "HTTP/1.1 x"])}\r\n${HOST}\r\n`,
      ),
  ],
  ["HTTP/2", () => Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0")],
  [
    "TLS",
    (random) =>
      Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), random.bytes(500)]),
  ],
  [
    "another form of the target",
    (random) =>
      Buffer.from(
        `GET ${random.pick(["http://localhost/echo", "*", "localhost:80", "//", "", "echo", "/echo#x", "/\t"])} HTTP/1.1\r\n${HOST}\r\n`,
      ),
  ],
  [
    "an unknown method",
    (random) =>
      Buffer.from(
        `${random.pick(["FOO", "CONNECT", "TRACE", "get", "", "G".repeat(2_000), "\0"])} /echo HTTP/1.1\r\n${HOST}\r\n`,
      ),
  ],
  ["no host", () => Buffer.from("GET /echo HTTP/1.1\r\n\r\n")],
  ["only line feeds", () => Buffer.from("GET /echo HTTP/1.1\nHost: localhost\n\n")],
  ["a folded header", () => Buffer.from(`GET /echo HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`)],
  [
    "a header without a name",
    (random) =>
      Buffer.from(
        `GET /echo HTTP/1.1\r\n${HOST}${random.pick([": x", "x", "x y: z", "x\0: y", "é: y", "X : y"])}\r\n\r\n`,
      ),
  ],
  [
    "a handshake",
    (random) =>
      Buffer.from(
        `${random.pick(["GET", "POST"])} /${random.pick(["socket", "deflate", "raw", "serial"])}/websocket?vsn=2.0.0 HTTP/1.1\r\n${random.pick(BAD_HANDSHAKES)}`,
      ),
  ],
  [
    "a handshake and frames at once",
    (random) =>
      Buffer.concat([
        Buffer.from(`GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\n${HOST}${UPGRADE}${KEY}\r\n`),
        random.bytes(200),
      ]),
  ],
  [
    "Expect",
    () =>
      Buffer.from(
        `POST /length HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello`,
      ),
  ],
  ["nothing", () => Buffer.alloc(0)],
];
