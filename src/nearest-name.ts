/**
 * Finds the known name that is closest to a misspelled one, for error messages.
 *
 * Runs on: any thread. Pure functions.
 */

/**
 * Returns a hint to append to an error message about an unknown name: `; did you mean shards?`.
 * Returns an empty string if no known name is close.
 */
export function nearestHint(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? "" : `; did you mean ${nearest}?`;
}

/**
 * Returns the known name with the smallest edit distance to a name, ignoring case. Returns
 * undefined if at least half of the longer name would have to change.
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
 * Returns the edit distance between two strings: the number of insertions, deletions,
 * substitutions, and swaps of adjacent characters (optimal string alignment).
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
