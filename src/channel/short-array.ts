/**
 * Arrays that stay short, of which there is one for each connection or topic.
 *
 * Runs on: any thread.
 */

/**
 * Gives a new array of just the length that it needs, with one more item at the end.
 *
 * An array that is pushed to, and one that is spread with an item behind it, gets room for 17: 128
 * bytes too many. `concat` takes what it needs.
 */
export function withOneMore<Item extends object>(items: readonly Item[], item: Item): Item[] {
  return items.length === 0 ? [item] : items.concat(item);
}
