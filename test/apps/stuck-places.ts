/**
 * An app whose user code holds its thread for ever, in every kind of place from which a shard calls it.
 *
 * What holds it prints `holds` and the place first, once for each time.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import {
  defineChannel,
  defineEndpoint,
  definePresence,
  defineSocket,
  ok,
  reply,
} from "../../src/index.ts";
import { defineRawChannel, defineRawSocket, defineTransport } from "../../src/raw.ts";

function hold(place: string): void {
  console.log(`holds ${place}`);
  let turns = 0;
  while (turns >= 0) turns += 1;
}

/** The place that holds shard 0, from the environment: for those that no client reaches by a message. */
const place = process.env["STUCK_PLACE"];

const presence = definePresence({
  init: () => ({}),
  handleMetas(topic, _diff, _metas, state) {
    if (topic === "room:metas") hold("handleMetas");
    return state;
  },
});

const socket = defineSocket({
  connect: ({ params }) => {
    if (params["hold"] === "connect") hold("connect");
    // Half of the time is left when it is warned.
    const until = params["hold"] === "expiring" ? { expiresAtMs: Date.now() + 6_000 } : undefined;
    return until ? ok({}, until) : ok({});
  },
});

const room = defineChannel(socket, {
  join(channel) {
    if (channel.topic === "room:join") hold("join");
    return ok({ shard: channel.shard });
  },
  handleIn: {
    hold: () => hold("handleIn"),
    tick: (channel) => channel.context.broadcast("tick", "tick"),
    echo: (_channel, payload) => reply("ok", payload),
    track(channel) {
      presence.track(channel, "user", {});
    },
    shout: (channel, payload) => channel.broadcast("shout", payload),
  },
  intercept: {
    shout(channel, payload) {
      if (channel.shard === 0 && channel.topic === "room:intercept") hold("intercept");
      channel.push("shout", payload);
    },
  },
  expiring: () => hold("expiring"),
  terminate(channel) {
    console.log(`terminate ${channel.topic}`);
    if (channel.topic.startsWith("room:end")) hold("terminate");
    if (channel.topic === "room:both") hold("terminate");
  },
});

const raw = defineRawChannel(socket, {
  start(channel) {
    if (channel.topic === "raw:start") hold("start");
    channel.accept({ shard: channel.shard });
    return {
      receive: () => hold("receive"),
      end() {
        console.log(`end ${channel.topic}`);
        if (channel.topic === "raw:end") hold("end");
      },
    };
  },
});

const lines = defineRawSocket({
  connect: () => ok({}),
  handleIn(_socket, frame) {
    if (frame.data === "hold") hold("raw handleIn");
    return reply("ok", frame);
  },
  terminate: () => hold("raw terminate"),
});

/** A transport with one client, which joins a channel, and whose `close` holds the thread. */
const custom = defineTransport({
  name: "custom",
  async start(host) {
    if (place !== "custom close" || host.context.shard !== 0) return;
    const decision = await host.connect({ path: "/socket", params: { vsn: "2.0.0" } });
    if (decision.result !== "ok") return;
    const connection = decision.open({ send() {}, close: () => hold("custom close") });
    connection.receive('["1","1","room:custom","phx_join",{}]');
  },
});

export default defineEndpoint({
  presences: [presence],
  transports: [custom],
  sockets: {
    "/socket": { socket, channels: { "room:*": room, "raw:*": raw }, longpoll: true },
    "/lines": { socket: lines },
  },
  routes: { "GET /hold": () => hold("route") as never },
  start(context) {
    context.subscribe("tick", () => {
      if (context.shard === 0) hold("listener");
    });
    if (place === "interval" && context.shard === 0) setInterval(() => hold("interval"), 100);
  },
  stop(context) {
    if (place === "stop" && context.shard === 0) hold("stop");
    console.log(`stopped shard ${context.shard}`);
  },
});
