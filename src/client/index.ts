/**
 * `simurgh/client`: the official client, with the types of an app, and promises.
 *
 * Nothing of the server comes with it: types only.
 *
 * Runs on: a client, in a browser or elsewhere.
 */

export type { RequestOptions } from "./awaited-reply.ts";
export { Client } from "./client.ts";
export { ClientChannel } from "./client-channel.ts";
export type { PhoenixChannel, PhoenixPush, PhoenixSocket } from "./phoenix.ts";
export type { ReplyError } from "./reply-error.ts";
export type { Serialized } from "./serialized.ts";
