/**
 * Server-sent events: a stream to the client and POSTs from it, for sockets of any kind; and streams of topics for a
 * plain `EventSource`.
 *
 *   GET        a stream: of a new session, or of one whose client reconnects with the id of its last event
 *   POST       frames for a session, one per line
 *   DELETE     the client has closed its connection
 *   OPTIONS    a CORS preflight
 *
 *   query -> id -> origin -> the session, here or on another shard or node -> or `connect`
 *
 * It uses only the contract of custom transports.
 *
 * Runs on: shard. A session stays where it was opened, but its requests may reach any shard.
 */

import { defineTransport } from "../custom/definition.ts";
import type { TransportDefinition } from "../custom/definition.ts";
import { SseMount, type SseMountDefinition } from "./sse-mount.ts";
import { SseShard } from "./sse-shard.ts";
import { ssePathOf, withDefaults } from "./sse-options.ts";

const NAME = "sse";

/** Returns the transport that serves the server-sent events of these mounts. */
export function sseTransport(mounts: readonly SseMountDefinition[]): TransportDefinition {
  // In tests, a thread may run several shards.
  const shards: SseShard[] = [];
  return defineTransport({
    name: NAME,
    start(host) {
      const shard = new SseShard(
        host,
        mounts.map(({ options }) => withDefaults(options)),
      );
      shards.push(shard);
      host.onCall((request, { signal }) => shard.sessions.answer(request, signal));
      for (const definition of mounts) {
        const served = ssePathOf(definition.path, definition.options);
        const mount = new SseMount(shard, definition, served);
        host.route(`GET ${served}`, (request) => mount.get(request));
        host.route(`POST ${served}`, (request) => mount.post(request));
        host.route(`DELETE ${served}`, (request) => mount.leave(request));
        host.route(`OPTIONS ${served}`, (request) => mount.preflight(request));
      }
    },
    stop() {
      shards.shift()?.stop();
    },
  });
}
