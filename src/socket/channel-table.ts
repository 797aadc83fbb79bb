/**
 * The channels of one connection, by topic.
 *
 * Most connections have only a few channels, so up to 8 channels are kept in an array, which uses a
 * tenth of the memory of a Map. A table is the array or the Map itself, without an object around
 * it, because every connection has a table.
 *
 * Runs on: the shard that owns the connection.
 */

import type { RoutedChannel } from "../channel/routed-channel.ts";

const MOST_IN_ARRAY = 8;

/** A map from topics to channels. Only the functions of this file may change it. */
export type ChannelTable = readonly RoutedChannel[] | Map<string, RoutedChannel>;

/** The empty table. */
export const NO_CHANNELS: ChannelTable = [];

export function countChannels(table: ChannelTable): number {
  return isArray(table) ? table.length : table.size;
}

export function findChannel(table: ChannelTable, topic: string): RoutedChannel | undefined {
  if (!isArray(table)) return table.get(topic);
  for (const channel of table) if (channel.topic === topic) return channel;
  return undefined;
}

/** Adds a channel, whose topic must be free. Returns the table to use from now on. */
export function withChannel(table: ChannelTable, channel: RoutedChannel): ChannelTable {
  if (!isArray(table)) return table.set(channel.topic, channel);
  // `concat` allocates exactly the elements that it needs, while a spread or a push reserves 17
  // elements.
  const more = table.length === 0 ? [channel] : table.concat(channel);
  if (more.length <= MOST_IN_ARRAY) return more;
  return new Map(more.map((known) => [known.topic, known]));
}

/**
 * Removes a channel, unless another channel now has its topic. Returns the table to use from now
 * on.
 */
export function withoutChannel(table: ChannelTable, channel: RoutedChannel): ChannelTable {
  if (isArray(table)) {
    const left = table.filter((other) => other !== channel);
    return left.length === 0 ? NO_CHANNELS : left;
  }
  if (table.get(channel.topic) === channel) table.delete(channel.topic);
  return table;
}

/** Reports whether any channel matches. */
export function someChannel(
  table: ChannelTable,
  matches: (channel: RoutedChannel) => boolean,
): boolean {
  if (isArray(table)) return table.some(matches);
  for (const channel of table.values()) if (matches(channel)) return true;
  return false;
}

/** Returns a copy of the list of all channels. */
export function listChannels(table: ChannelTable): RoutedChannel[] {
  return isArray(table) ? [...table] : [...table.values()];
}

function isArray(table: ChannelTable): table is readonly RoutedChannel[] {
  return Array.isArray(table);
}
