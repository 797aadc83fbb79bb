/**
 * `simurgh/client`: the official client with the types of an app, and replies as promises.
 *
 * Imports only types from the server, so that no server code is included in a page.
 *
 * Runs on: a client, in a browser or elsewhere.
 */

export { Client, ClientChannel } from "./client.ts";
export { SseTransport } from "./sse-transport.ts";
export type { PhoenixChannel, PhoenixSocket, Serialized } from "./client.ts";
export type { HistoryParams, Recovered } from "./resume.ts";
export type { PhoenixPush, ReplyError, RequestOptions } from "./reply.ts";
