/**
 * The figures of a shard's custom transports, in shared memory, from where main reads them.
 *
 * Runs on: shard; one for each.
 */

import { Figures, MAX_FIGURES } from "../memory/figures.ts";
import type { FigureBoard } from "../transport/custom/figure-board.ts";
import type { FigureName, NodeMemory } from "./control.ts";

/** The figures of a shard. Main learns each name once, by a message. */
export class ShardFigures implements FigureBoard {
  readonly size = MAX_FIGURES;
  readonly #figures: Figures;
  readonly #onNamed: (name: FigureName) => void;

  constructor(memory: NodeMemory, member: number, onNamed: (name: FigureName) => void) {
    this.#figures = new Figures(memory.figures, member);
    this.#onNamed = onNamed;
  }

  name(figure: number, transport: string, name: string): void {
    this.#onNamed({ figure, transport, name });
  }

  set(figure: number, value: number | undefined): void {
    this.#figures.set(figure, value);
  }
}
