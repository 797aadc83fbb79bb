/**
 * Finds the channel for a topic by the first matching pattern, in order of declaration.
 *
 * Runs on: shard; one instance per mount.
 */

import type { ChannelDefinition } from "../channel/definition.ts";
import type { RawChannelDefinition } from "../channel/raw-definition.ts";
import { makeError } from "../errors.ts";
import { isOwnTopic } from "../protocol/reserved.ts";

/** A channel with the additions of its route. */
export interface ChannelRoute {
  readonly channel: AnyChannelDefinition;
  /** Merged over the socket's assigns at each join. */
  readonly assigns?: object;
  /** Passed to a raw channel unchanged. */
  readonly options?: unknown;
}

/** The definition of a channel of either kind. */
export type AnyChannelDefinition = ChannelDefinition | RawChannelDefinition;

interface Pattern {
  readonly text: string;
  readonly isPrefix: boolean;
  readonly route: ChannelRoute;
}

/** The routes of one mount. */
export class ChannelRouter {
  readonly #patterns: readonly Pattern[];
  /** True if a handler or a limit needs the text of frames. */
  readonly keepsFrames: boolean;

  /**
   * @param routes - the routes by pattern; a pattern is an exact topic, or a prefix that ends with
   *   `*`
   * @throws SIM_ERR_TOPIC_PATTERN if a `*` is not the last character
   */
  constructor(routes: Readonly<Record<string, ChannelRoute>>) {
    this.#patterns = Object.entries(routes).map(([pattern, route]) => {
      const isPrefix = pattern.endsWith("*");
      const text = isPrefix ? pattern.slice(0, -1) : pattern;
      if (text.includes("*")) {
        const message = `topic pattern must have its * at the end, got ${JSON.stringify(pattern)}`;
        throw makeError("SIM_ERR_TOPIC_PATTERN", message);
      }
      return { text, isPrefix, route };
    });
    this.keepsFrames = this.#patterns.some(({ route }) => needsFrames(route.channel));
  }

  /** Returns the route for a topic, or undefined. Patterns never match the server's own topics. */
  match(topic: string): ChannelRoute | undefined {
    if (isOwnTopic(topic)) return undefined;
    for (const { text, isPrefix, route } of this.#patterns) {
      if (isPrefix ? topic.startsWith(text) : topic === text) return route;
    }
    return undefined;
  }
}

function needsFrames(definition: AnyChannelDefinition): boolean {
  if ("start" in definition) return false;
  if (definition.limiter?.countsBytes === true) return true;
  return [...definition.handleIn.values()].some(({ intake }) => intake !== undefined);
}
