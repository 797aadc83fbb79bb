/** What clients have heard: so many prices, by so many of them. */
export interface Heard {
  readonly clients: number;
  readonly prices: number;
}

/** Name of a topic: five digits. */
export function nameOf(n: number): string {
  return String(n).padStart(5, "0");
}
