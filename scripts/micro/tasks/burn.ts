/**
 * Work that keeps its thread busy, without system calls or allocations.
 *
 * Runs on: any thread.
 */

/** Burns CPU, and returns a value so that the work is not optimized away. */
export function burn(rounds: number): number {
  let sum = 1;
  for (let round = 0; round < rounds; round += 1) sum = (Math.imul(sum, 1_664_525) + round) | 0;
  return sum;
}
