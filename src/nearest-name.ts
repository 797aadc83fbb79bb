/**
 * The known name that a misspelt one is nearest to, for messages.
 *
 * Runs on: any thread. Pure functions.
 */

/**
 * Returns what a message says after an unknown name: `; did you mean shards?`, or nothing if no
 * known name is near.
 */
export function nearestHint(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? "" : `; did you mean ${nearest}?`;
}

/**
 * Returns the known name with the fewest edits from a name; undefined if half of the longer one or
 * more would have to change. Upper and lower case count as the same.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let fewest = Infinity;
  for (const one of known) {
    const edits = editsBetween(name.toLowerCase(), one.toLowerCase());
    if (edits >= Math.min(fewest, Math.max(name.length, one.length) / 2)) continue;
    fewest = edits;
    nearest = one;
  }
  return nearest;
}

/**
 * Counts the edits that turn one text into another: to insert, delete or change a character, or to
 * swap two neighbours (optimal string alignment).
 */
function editsBetween(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      let edits = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (isSame ? 0 : 1),
      );
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (isSwap && row > 1 && column > 1) {
        edits = Math.min(edits, at(beforePrevious, column - 2) + 1);
      }
      current.push(edits);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
