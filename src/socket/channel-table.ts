/**
 * The channels of one connection, by topic.
 *
 * Most connections have a handful: up to 8 stand in an array, which costs a tenth of a Map. A table
 * is that array or that Map itself, and no object around it, as every connection has one.
 *
 * Runs on: the shard that owns the connection.
 */

import type { RoutedChannel } from "../channel/routed-channel.ts";

const MOST_IN_ARRAY = 8;

/** A map from topics to channels. To be changed by the functions of this file only. */
export type ChannelTable = readonly RoutedChannel[] | Map<string, RoutedChannel>;

/** A table that has none. */
export const NO_CHANNELS: ChannelTable = [];

export function countChannels(table: ChannelTable): number {
  return isArray(table) ? table.length : table.size;
}

export function findChannel(table: ChannelTable, topic: string): RoutedChannel | undefined {
  if (!isArray(table)) return table.get(topic);
  for (const channel of table) if (channel.topic === topic) return channel;
  return undefined;
}

/** Gives the table with one more channel, in the place of the table. Its topic must be free. */
export function withChannel(table: ChannelTable, channel: RoutedChannel): ChannelTable {
  if (!isArray(table)) return table.set(channel.topic, channel);
  // `concat` takes the room that it needs; a spread or a push takes room for 17.
  const more = table.length === 0 ? [channel] : table.concat(channel);
  if (more.length <= MOST_IN_ARRAY) return more;
  return new Map(more.map((known) => [known.topic, known]));
}

/** Gives the table without a channel, in its place. Where the topic has another, that one stays. */
export function withoutChannel(table: ChannelTable, channel: RoutedChannel): ChannelTable {
  if (isArray(table)) {
    const left = table.filter((other) => other !== channel);
    return left.length === 0 ? NO_CHANNELS : left;
  }
  if (table.get(channel.topic) === channel) table.delete(channel.topic);
  return table;
}

/** Whether one of the channels is so. */
export function someChannel(
  table: ChannelTable,
  isSo: (channel: RoutedChannel) => boolean,
): boolean {
  if (isArray(table)) return table.some(isSo);
  for (const channel of table.values()) if (isSo(channel)) return true;
  return false;
}

/** Gives all channels, as they are now. */
export function listChannels(table: ChannelTable): RoutedChannel[] {
  return isArray(table) ? [...table] : [...table.values()];
}

function isArray(table: ChannelTable): table is readonly RoutedChannel[] {
  return Array.isArray(table);
}
