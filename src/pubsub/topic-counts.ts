/**
 * Subscribers per topic: the first topics by name, up to a limit.
 *
 * Each thread returns its first topics by name, and the lists are merged. A topic that is among the first
 * overall is also in the list of every thread that has it, so its sum is exact.
 *
 * Runs on: any thread. Pure.
 */

/** A topic and its subscribers. */
export interface TopicCount {
  readonly topic: string;
  readonly subscribers: number;
}

/** Returns the first topics with a prefix. Keeps at most 2 * `limit` topics in memory. */
export function firstTopics(
  topics: Iterable<{ readonly topic: string; readonly count: number }>,
  prefix: string,
  limit: number,
  isShown: (topic: string) => boolean = () => true,
): TopicCount[] {
  let first: TopicCount[] = [];
  for (const { topic, count } of topics) {
    if (count === 0 || !topic.startsWith(prefix) || !isShown(topic)) continue;
    first.push({ topic, subscribers: count });
    if (first.length >= limit * 2) first = first.toSorted(byName).slice(0, limit);
  }
  return first.toSorted(byName).slice(0, limit);
}

/** Merges the first topics of several threads. */
export function joinTopics(parts: readonly (readonly TopicCount[])[], limit: number): TopicCount[] {
  const sums = new Map<string, number>();
  for (const { topic, subscribers } of parts.flat()) {
    sums.set(topic, (sums.get(topic) ?? 0) + subscribers);
  }
  const joined = Array.from(sums, ([topic, subscribers]) => ({ topic, subscribers }));
  return joined.toSorted(byName).slice(0, limit);
}

// Compares UTF-16 units, because locale-dependent order is not the same everywhere.
function byName(one: TopicCount, other: TopicCount): number {
  if (one.topic === other.topic) return 0;
  return one.topic < other.topic ? -1 : 1;
}
