import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { defineRawChannel } from "../../src/channel/raw-definition.ts";
import type { ShardContext } from "../../src/channel/context.ts";
import { ok } from "../../src/callbacks/results.ts";
import { defineEndpoint, isEndpoint, routeOf, startApp } from "../../src/endpoint/endpoint.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { defineRawSocket } from "../../src/socket/raw-definition.ts";
import { channel } from "../support/world.ts";

const socket = defineSocket({ connect: () => ok({}) });
const mount = { socket, channels: { "room:*": channel() } };

function refused(callbacks: object, message: string | RegExp): void {
  assert.throws(() => defineEndpoint(callbacks as never), {
    code: /^SIM_ERR_(DEFINITION|OPTION)_INVALID$/,
    message,
  });
}

function mountedWith(options: object): object {
  return { sockets: { "/s": { ...mount, ...options } } };
}

function routed(route: object): object {
  return mountedWith({ channels: { "x:*": route } });
}

describe("an endpoint's definition", () => {
  it("is known as one, and nothing else is", () => {
    const endpoint = defineEndpoint({ sockets: { "/socket": mount } });
    assert.ok(isEndpoint(endpoint));
    assert.ok(isEndpoint({ [Symbol.for("simurgh.endpoint")]: true }));
    for (const other of [undefined, null, {}, { sockets: {} }, "endpoint", () => {}]) {
      assert.equal(isEndpoint(other), false);
    }
  });

  it("keeps what it was made of", () => {
    let isStarted = false;
    const start = (): void => {
      isStarted = true;
    };
    const endpoint = defineEndpoint({ sockets: { "/socket": mount }, start });
    assert.equal(endpoint.sockets["/socket"], mount);
    void endpoint.start?.({} as never);
    assert.equal(isStarted, true);
  });

  it("takes a mount with any of its options", () => {
    defineEndpoint({
      sockets: {
        "/a": { ...mount, websocket: true },
        "/b/:c/socket": { ...mount, websocket: { timeoutMs: 250, maxFrameBytes: 128 } },
        "/d": { ...mount, websocket: {}, maxChannels: 1 },
        "/lp": { ...mount, longpoll: true },
        "/lp2": {
          ...mount,
          longpoll: {
            windowMs: 100,
            pubsubTimeoutMs: 50,
            maxAgeMs: 1_000,
            crypto: { keyIterations: 10, keyLength: 16, keyDigest: "sha512" },
            path: "/lp",
          },
        },
        "/e": { socket, channels: { "room:*": { channel: channel(), assigns: { n: 1 } } } },
      },
    });
  });

  it("wants sockets, whose paths begin with a slash", () => {
    refused({}, "sockets must be an object, got undefined");
    refused({ sockets: null }, "sockets must be an object, got null");
    refused({ sockets: { socket: mount } }, 'socket path must start with /, got "socket"');
  });

  it("wants paths that clients can reach, each of them once for a transport", () => {
    const twice = (sockets: object, transport: string, path: string, own: string): void =>
      refused(
        { sockets },
        `${transport} path of ${path} must be its own, got ${own}, which /a has too`,
      );
    const below = { ...mount, websocket: { path: "/b/websocket" }, longpoll: { path: "/b/lp" } };
    twice({ "/a": below, "/a/b": mount }, "websocket", "/a/b", "/a/b/websocket");
    const polled = { ...mount, websocket: false, longpoll: { path: "/lp" } };
    twice({ "/a": below, "//a/b/": polled }, "longpoll", "//a/b/", "//a/b//lp");
    const named = { ...mount, websocket: { path: "/:x/websocket" } };
    twice({ "/a": named, "/a/:y": mount }, "websocket", "/a/:y", "/a/:y/websocket");
    const events = { ...mount, sse: { path: "/lp" } };
    const only = { ...mount, websocket: false, sse: true };
    twice({ "/a": only, "//a": only }, "sse", "//a", "//a/sse");
    refused(
      { sockets: { "/a": { ...events, longpoll: { path: "/lp" } } } },
      "sse path of /a must be its own, got /a/lp, which longpoll of /a has too",
    );
    // A WebSocket and polls at one path are told apart by their headers.
    for (const other of [{ longpoll: { path: "/x" } }, { sse: { path: "/x" } }]) {
      defineEndpoint({ sockets: { "/a": { ...mount, websocket: { path: "/x" }, ...other } } });
    }
    refused(
      { sockets: { "/*": mount } },
      'websocket path of /* must have a * only as its last part, got "/*/websocket"',
    );
    refused(
      { sockets: { "/:a/:a": mount } },
      'websocket path of /:a/:a must have variables with different names, got "/:a/:a/websocket"',
    );
  });

  it("names the keys of a mount where it has another", () => {
    refused(
      { sockets: { "/socket": { ...mount, transport: 1, other: 2 } } },
      /^\/socket may only have the keys socket, channels, .*, errorHandler, got transport, other/,
    );
  });

  it("wants a socket that defineSocket made, and channels that defineChannel made", () => {
    refused(
      { sockets: { "/socket": { channels: {} } } },
      "socket of /socket must be made by defineSocket or defineRawSocket, got undefined",
    );
    refused(
      { sockets: { "/socket": { socket: {}, channels: {} } } },
      "socket of /socket must be made by defineSocket or defineRawSocket, got object",
    );
    refused(
      { sockets: { "/socket": { socket } } },
      "channels of /socket must be an object, got undefined",
    );
    for (const [given, got] of [
      [undefined, "undefined"],
      ["room", "string"],
      [{}, "object"],
      [{ channel: {} }, "object"],
    ] as const) {
      refused(
        { sockets: { "/socket": { socket, channels: { "room:*": given } } } },
        `channel "room:*" of /socket must be made by defineChannel or defineRawChannel, got ${got}`,
      );
    }
  });

  it("wants assigns of routes to be objects, and options for raw channels only", () => {
    const raw = defineRawChannel(socket, { start: () => undefined });
    refused(
      routed({ channel: raw, assigns: 7 }),
      'assigns of channel "x:*" of /s must be an object, got number',
    );
    refused(
      routed({ channel: raw, starter: 7 }),
      'channel "x:*" of /s may only have the keys channel, assigns, options, got starter',
    );
    const { channels } = mount;
    const [ordinary] = Object.values(channels);
    refused(
      routed({ channel: ordinary, options: {} }),
      'options of channel "x:*" of /s must belong to a raw channel, got another channel',
    );
  });

  it("wants no channels at a raw socket, which has none", () => {
    const raw = defineRawSocket({ connect: () => ok({}), handleIn: () => {} });
    const { sockets } = defineEndpoint({ sockets: { "/raw": { socket: raw, longpoll: true } } });
    assert.equal(sockets["/raw"]?.socket, raw);
    refused(
      { sockets: { "/raw": { socket: raw, channels: {}, maxChannels: 1 } } },
      /^\/raw may only have the keys socket, websocket, .*, errorHandler, got channels, maxChannels/,
    );
  });

  it("wants transports that defineTransport made", () => {
    for (const [transports, got] of [
      [{}, "object"],
      [[{}], "array"],
      [["lines"], "array"],
    ] as const) {
      refused(
        { sockets: {}, transports },
        `transports must be a list of results of defineTransport, got ${got}`,
      );
    }
  });

  it("wants a filter of parameters in one of its forms", () => {
    refused(
      { sockets: {}, filterParameters: "token" },
      "filterParameters must be a list of strings, { discard: strings } or { keep: strings }, got string",
    );
  });

  it("wants limits within the ranges of the server's own", () => {
    refused(
      mountedWith({ maxChannels: 0 }),
      "maxChannels of /s must be an integer from 1 to 100000 (channels), got 0",
    );
    refused(
      mountedWith({ websocket: { timeoutMs: 249 } }),
      "timeoutMs of /s must be an integer from 250 to 86400000 (ms), got 249",
    );
    refused(
      mountedWith({ websocket: { maxFrameBytes: 1.5 } }),
      "maxFrameBytes of /s must be an integer from 128 to 268435456 (bytes), got 1.5",
    );
    refused(mountedWith({ websocket: { timeoutMs: "auto" } }), /, got "auto"$/);
    refused(
      mountedWith({ websocket: { timeout: 1 } }),
      /^websocket of \/s may only have the keys timeoutMs, maxFrameBytes, .*, got timeout; did you mean timeoutMs\?$/,
    );
    refused(
      mountedWith({ websocket: { compress: "yes" } }),
      'compress of /s must be true or false, got "yes"',
    );
    refused(
      mountedWith({ websocket: 7 }),
      "websocket of /s must be true, false or an object, got number",
    );
    refused(
      mountedWith({ longpoll: 7 }),
      "longpoll of /s must be true, false or an object, got number",
    );
    refused(mountedWith({ longpoll: { windowMs: 99 } }), /^windowMs of \/s must be .*, got 99$/);
    refused(
      mountedWith({ longpoll: { pubsubTimeoutMs: 49 } }),
      /^pubsubTimeoutMs of \/s must be .*, got 49$/,
    );
    refused(mountedWith({ longpoll: { maxAgeMs: 999 } }), /^maxAgeMs of \/s must be .*, got 999$/);
    refused(
      mountedWith({ longpoll: { crypto: true } }),
      "crypto of /s must be an object, got boolean",
    );
    refused(
      mountedWith({ longpoll: { crypto: { maxAge: 1 } } }),
      /^crypto of \/s may .*, got maxAge$/,
    );
    refused(
      mountedWith({ longpoll: { crypto: { keyIterations: 0 } } }),
      /^crypto of \/s: keyIterations must be .*, got 0$/,
    );
    refused(mountedWith({ sse: 7 }), "sse of /s must be true, false or an object, got number");
    refused(
      mountedWith({ sse: { resumeMs: 99 } }),
      "resumeMs of /s must be an integer from 100 to 3540000 (ms), got 99",
    );
    refused(mountedWith({ sse: { keptBytes: 0.5 } }), /^keptBytes of \/s must be .*, got 0.5$/);
    refused(mountedWith({ sse: { heartbeat: 1 } }), /, got heartbeat; did you mean heartbeatMs\?$/);
    refused(mountedWith({ sse: { path: "sse" } }), 'sse path of /s must start with /, got "sse"');
    refused(
      {
        ...mountedWith({ sse: true }),
        transports: [{ name: "sse", start: () => {}, stop: () => {} }],
      },
      "transports must not have the name sse if a mount has sse, got one",
    );
    refused(mountedWith({ longpoll: { subprotocols: [] } }), /, got subprotocols$/);
    refused(
      mountedWith({ longpoll: { path: "lp" } }),
      'longpoll path of /s must start with /, got "lp"',
    );
    refused(
      mountedWith({ checkCsrf: false, longpoll: { checkOrigin: false } }),
      /^checkOrigin or checkCsrf of \/s must be on/,
    );
  });

  it("adds the transport of its mounts with server-sent events to those of the app", () => {
    const own = { name: "own", start: () => {}, stop: () => {} };
    const names = (sse: object): unknown =>
      defineEndpoint({
        sockets: { "/a": { ...mount, ...sse }, "/b": { ...mount, ...sse } },
        transports: [own],
      }).transports?.map(({ name }) => name);
    assert.deepEqual(names({}), ["own"]);
    assert.deepEqual(names({ sse: false }), ["own"]);
    assert.deepEqual(names({ sse: true }), ["own", "sse"]);
    assert.deepEqual(names({ sse: { resumeMs: 100, path: "/:x/events" } }), ["own", "sse"]);
  });

  it("takes the options of handshakes, on the mount and on its WebSocket", () => {
    const session = { key: "_app_key", signingSalt: "salt" };
    const options = {
      checkOrigin: ["//example.com"],
      checkCsrf: false,
      connectInfo: ["uri", { session }],
      subprotocols: ["chat"],
      errorHandler: () => ({ status: 403 }),
    } as const;
    defineEndpoint({
      urlHost: "example.com",
      checkOrigin: "conn",
      sockets: {
        "/a": { ...mount, ...options, authToken: true },
        "/b": { ...mount, websocket: { ...options, path: "/:id/ws" } },
        "/c": { ...mount, checkOrigin: (origin) => origin.host === null },
        "/d": { ...mount, checkOrigin: false },
      },
    });
    defineEndpoint({ sockets: { "/a": { ...mount, checkOrigin: undefined as never } } });
  });

  it("refuses options of handshakes that cannot be", () => {
    refused(mountedWith({ checkOrigin: ["example.com"] }), /^checkOrigin of \/s must have entries/);
    refused(
      mountedWith({ websocket: { checkOrigin: "*" } }),
      'checkOrigin of /s must be true, false, "conn", a list of origins or a function, got "*"',
    );
    refused({ checkOrigin: ["x"], ...mountedWith({}) }, /^checkOrigin of \/s must have entries/);
    refused(
      mountedWith({ connectInfo: ["uris"] }),
      /^connectInfo of \/s must be a list of peerData/,
    );
    refused(mountedWith({ connectInfo: "uri", authToken: true }), /must be a list, got string$/);
    refused({ trustProxy: true, ...mountedWith({}) }, /^trustProxy must be a list of addresses/);
    refused({ proxyProtocol: "v2", ...mountedWith({}) }, /^proxyProtocol must be combined with/);
    refused(mountedWith({ subprotocols: "a" }), /^subprotocols of \/s must be a list/);
    refused(
      mountedWith({ errorHandler: 403 }),
      "errorHandler of /s must be a function, got number",
    );
    refused(mountedWith({ checkCsrf: 0 }), "checkCsrf of /s must be true or false, got 0");
    refused(mountedWith({ authToken: "x" }), 'authToken of /s must be true or false, got "x"');
    refused(
      mountedWith({ websocket: { path: "ws" } }),
      'websocket path of /s must start with /, got "ws"',
    );
    refused(mountedWith({ websocket: { authToken: true } }), /, got authToken$/);
    for (const [urlHost, got] of [
      ["https://example.com", '"https://example.com"'],
      ["example.com:80", '"example.com:80"'],
      ["", '""'],
      [7, "7"],
    ] as const) {
      refused(
        { urlHost, ...mountedWith({}) },
        `urlHost must be a host without scheme and port, or null, got ${got}`,
      );
    }
    refused(
      { urlHost: "Example.com", ...mountedWith({}) },
      'urlHost must be a host as browsers write it (example.com), got "Example.com"',
    );
    defineEndpoint({ urlHost: null, sockets: { "/s": mount } });
  });

  it("has one check against pages of others at least", () => {
    const message = "checkOrigin or checkCsrf of /s must be on, got false for both";
    refused(mountedWith({ checkOrigin: false, checkCsrf: false }), message);
    refused({ checkOrigin: false, ...mountedWith({ checkCsrf: false }) }, message);
    refused(mountedWith({ checkCsrf: false, websocket: { checkOrigin: false } }), message);
    defineEndpoint({
      checkOrigin: false,
      sockets: { "/s": { ...mount, checkCsrf: false, checkOrigin: true } },
    });
  });

  it("names its keys where it has another", () => {
    refused(
      { sockets: {}, socket: {} },
      /^endpoint may only have the keys sockets, transports, routes, .*, got socket; did you mean sockets\?$/,
    );
  });

  it("wants a tasks module that is a file", () => {
    refused(
      { sockets: {}, tasks: "./tasks.js" },
      "tasks must be the URL of a file, got ./tasks.js",
    );
    defineEndpoint({ sockets: {}, tasks: new URL("file:///tasks.js") });
  });
});

describe("a route of channels", () => {
  it("is a channel alone, or with assigns of its own", () => {
    const one = channel();
    assert.deepEqual(routeOf(one), { channel: one });
    const route = { channel: one, assigns: { n: 1 } };
    assert.equal(routeOf(route), route);
  });
});

function contextOf(): ShardContext {
  return { data: 1, shard: 0 } as unknown as ShardContext;
}

describe("start of an endpoint", () => {
  it("adds what it returns to the context, at once or later", async () => {
    for (const own of [{ db: "db" }, Promise.resolve({ db: "db" })]) {
      const context = contextOf();
      await startApp(defineEndpoint({ sockets: {}, start: () => own }), context);
      assert.deepEqual(context, { data: 1, shard: 0, db: "db" });
    }
  });

  it("may return nothing, and may be left out", async () => {
    const context = contextOf();
    await startApp(defineEndpoint({ sockets: {} }), context);
    await startApp(
      defineEndpoint({ sockets: {}, start: (given) => void (given["own"] = 2) }),
      context,
    );
    assert.deepEqual(context, { data: 1, shard: 0, own: 2 });
  });

  it("may return nothing else, and no name that the context has already", async () => {
    const wrong: [unknown, string][] = [
      ["db", 'start must return nothing or an object, got "db"'],
      [null, "start must return nothing or an object, got null"],
      [{ shard: 7 }, 'start must return an object whose names are not in the context, got "shard"'],
    ];
    for (const [own, message] of wrong) {
      const endpoint = defineEndpoint({ sockets: {}, start: () => own as object });
      const context = contextOf();
      await assert.rejects(startApp(endpoint, context), { code: "SIM_ERR_BAD_RESULT", message });
      assert.deepEqual(context, { data: 1, shard: 0 });
    }
  });
});
