/**
 * Work that holds its thread: no system call, no allocation.
 *
 * Runs on: any thread.
 */

/** Burns CPU, and gives what keeps it from being left out. */
export function burn(rounds: number): number {
  let sum = 1;
  for (let round = 0; round < rounds; round += 1) sum = (Math.imul(sum, 1_664_525) + round) | 0;
  return sum;
}
