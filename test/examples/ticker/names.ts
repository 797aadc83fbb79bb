/** A report of the clients: how many there are, and how many prices they received. */
export interface Heard {
  readonly clients: number;
  readonly prices: number;
}

/** Returns the name of a topic: five digits. */
export function nameOf(n: number): string {
  return String(n).padStart(5, "0");
}
