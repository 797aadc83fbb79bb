/**
 * The official client, with the types of an app.
 *
 * Runs on: a client, in a browser or elsewhere.
 * Owns: nothing; the socket is yours, and so is its connection.
 */

import type { AppChannel, AppTopic } from "../endpoint/app-types.ts";
import { ClientChannel } from "./client-channel.ts";
import type { PhoenixSocket } from "./phoenix.ts";

/** Parameters of a join, or what gives them anew at each join. */
type ParamsArgument<Params> = object extends Params
  ? [params?: Params | (() => Params)]
  : [params: Params | (() => Params)];

/**
 * Channels of an app, by their topics.
 *
 * ```ts
 * import type app from "../server/app.js";
 *
 * const socket = new Socket("/socket", { params: { user: "ann" } });
 * const client = new Client<typeof app>(socket);
 * socket.connect();
 * ```
 *
 * Where an app has sockets at several paths, the second type says which: `Client<typeof app,
 * "/socket">`.
 */
export class Client<App, Path extends string = string> {
  readonly #socket: PhoenixSocket;

  /** @param socket - of the official client: `new Socket(…)` of the package `phoenix` */
  constructor(socket: PhoenixSocket) {
    this.#socket = socket;
  }

  /**
   * Gives a channel, which is not joined yet.
   *
   * @param params - parameters of its joins; a function of them is called at each join, by official
   *   clients from 1.3 on
   */
  channel<const Topic extends AppTopic<App, Path>>(
    topic: Topic,
    ...[params]: ParamsArgument<AppChannel<App, Topic, Path>["params"]>
  ): ClientChannel<AppChannel<App, Topic, Path>> {
    return new ClientChannel(topic, this.#socket.channel(topic, params ?? {}));
  }
}
