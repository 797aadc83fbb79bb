/**
 * Finds the channel for a topic by the first matching pattern, in order of declaration.
 *
 * Runs on: shard; one instance per mount.
 */

import type { ChannelDefinition } from "../channel/definition.ts";
import type { RawChannelDefinition } from "../channel/raw-definition.ts";
import { cutText } from "../cut-text.ts";
import { invalid } from "../definition-checks.ts";
import { makeError } from "../errors.ts";
import type { ResolvedOptions } from "../options/options.ts";
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

/** Limits of what clients may send. */
type RoutedLimits = Pick<ResolvedOptions, "maxEventBytes" | "maxTopicBytes">;

const UNLIMITED: RoutedLimits = { maxEventBytes: Infinity, maxTopicBytes: Infinity };

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
   * @param limits - what clients may send; by default, anything
   * @throws SIM_ERR_TOPIC_PATTERN if a `*` is not the last character, or no client can join a topic of the pattern;
   *   SIM_ERR_DEFINITION_INVALID if no client can send an event of a channel
   */
  constructor(routes: Readonly<Record<string, ChannelRoute>>, limits = UNLIMITED) {
    const patterns: Pattern[] = [];
    for (const [pattern, route] of Object.entries(routes)) {
      patterns.push(parsedPattern(pattern, route, limits));
      checkEvents(pattern, route.channel, limits);
    }
    this.#patterns = patterns;
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

function parsedPattern(
  pattern: string,
  route: ChannelRoute,
  { maxTopicBytes }: RoutedLimits,
): Pattern {
  const got = `got ${JSON.stringify(cutText(pattern))}`;
  const refused = (rule: string): Error =>
    makeError("SIM_ERR_TOPIC_PATTERN", `topic pattern must ${rule}, ${got}`);
  const isPrefix = pattern.endsWith("*");
  const text = isPrefix ? pattern.slice(0, -1) : pattern;
  if (text.includes("*")) throw refused("have its * at the end");
  if (isOwnTopic(text)) throw refused("not be for the server's own topics");
  if (Buffer.byteLength(text) > maxTopicBytes) {
    throw refused(`match topics of at most ${maxTopicBytes} (bytes, maxTopicBytes)`);
  }
  return { text, isPrefix, route };
}

function checkEvents(
  pattern: string,
  channel: AnyChannelDefinition,
  { maxEventBytes }: RoutedLimits,
): void {
  if ("start" in channel) return;
  for (const event of channel.handleIn.keys()) {
    // Other values than strings are in no message of a client.
    if (typeof event !== "string") continue;
    const bytes = Buffer.byteLength(event);
    if (bytes <= maxEventBytes) continue;
    const subject = `handleIn of channel ${JSON.stringify(cutText(pattern))}`;
    const rule = `have events of at most ${maxEventBytes} (bytes, maxEventBytes)`;
    throw invalid(`${subject} must ${rule}, got ${bytes} in ${JSON.stringify(cutText(event))}`);
  }
}

function needsFrames(definition: AnyChannelDefinition): boolean {
  if ("start" in definition) return false;
  if (definition.limiter?.countsBytes === true) return true;
  return [...definition.handleIn.values()].some(({ intake }) => intake !== undefined);
}
