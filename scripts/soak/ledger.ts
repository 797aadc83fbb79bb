/**
 * Who said what, and who must have heard it.
 *
 * Each speaker counts from 1 under a name that is used once. A hearing begins when a client has
 * joined a topic, and ends when the client is told that it may have missed something, by an error,
 * a close, or the end of its connection. Within a hearing, the numbers of each speaker must be
 * consecutive. A speaker that began after the hearing is heard from 1. All numbers whose
 * broadcast was acknowledged must arrive before the deadline.
 *
 * Runs on: the soak's process. Reads no clock: times are passed in.
 */

/** A speaker under a name of its own. */
export interface Speech {
  readonly topic: string;
  readonly name: string;
  readonly beganAt: number;
  /** The last number that was acknowledged, and when it was sent. */
  acked: number;
  ackedSentAt: number;
}

/** What the soak found. */
export interface Fault {
  readonly kind: "lost" | "doubled" | "disordered";
  readonly text: string;
}

/** What one client hears on one topic, from its join to the end that it is told. */
export class Hearing {
  readonly listener: string;
  readonly topic: string;
  readonly beganAt: number;
  readonly heard = new Map<string, number>();
  /** Whether the client reads so slowly that what was said long ago may still arrive. */
  readonly mayLag: boolean;
  isOver = false;

  constructor(listener: string, topic: string, beganAt: number, mayLag: boolean) {
    this.mayLag = mayLag;
    this.listener = listener;
    this.topic = topic;
    this.beganAt = beganAt;
  }
}

/** The speeches and hearings of a run. */
export class Ledger {
  readonly faults: Fault[] = [];
  readonly #speeches = new Map<string, Speech>();
  readonly #hearings = new Map<string, Set<Hearing>>();
  /** Numbers of all faults, of which only the first are kept. */
  counts = { lost: 0, doubled: 0, disordered: 0 };
  deliveries = 0;
  said = 0;
  /** Hearings that ended because the client was told. */
  told = 0;

  /** A speaker begins. */
  begin(topic: string, name: string, now: number): Speech {
    const speech: Speech = { topic, name, beganAt: now, acked: 0, ackedSentAt: 0 };
    this.#speeches.set(name, speech);
    return speech;
  }

  /** A number was acknowledged. */
  ack(speech: Speech, n: number, sentAt: number): void {
    this.said += 1;
    speech.acked = n;
    speech.ackedSentAt = sentAt;
  }

  /**
   * A speaker has ended, and all that it said must have arrived. Compares, and forgets it.
   *
   * @param minute - of the run, for the report
   */
  settle(speech: Speech, minute: string): void {
    for (const hearing of this.#hearings.get(speech.topic) ?? []) {
      if (hearing.mayLag) continue;
      const last = hearing.heard.get(speech.name) ?? 0;
      if (hearing.beganAt < speech.ackedSentAt && last < speech.acked) {
        this.#add(
          "lost",
          `minute ${minute}: ${hearing.listener} heard ${speech.name} on ${speech.topic} up to ${last}, of ${speech.acked}`,
        );
      }
      hearing.heard.delete(speech.name);
    }
    this.#speeches.delete(speech.name);
  }

  /** A client has joined a topic. */
  open(listener: string, topic: string, now: number, mayLag: boolean): Hearing {
    const hearing = new Hearing(listener, topic, now, mayLag);
    const hearings = this.#hearings.get(topic) ?? new Set();
    this.#hearings.set(topic, hearings.add(hearing));
    return hearing;
  }

  /** A client was told that it may have missed something, or has left. */
  close(hearing: Hearing, wasTold: boolean): void {
    if (hearing.isOver) return;
    hearing.isOver = true;
    if (wasTold) this.told += 1;
    this.#hearings.get(hearing.topic)?.delete(hearing);
  }

  /** A number has arrived. */
  hear(hearing: Hearing, name: string, n: number, minute: string): void {
    if (hearing.isOver) return;
    this.deliveries += 1;
    const speech = this.#speeches.get(name);
    const last = hearing.heard.get(name);
    hearing.heard.set(name, n);
    const where = `minute ${minute}: ${hearing.listener} on ${hearing.topic} got ${n} of ${name}`;
    if (last !== undefined) {
      if (n === last) this.#add("doubled", `${where} twice`);
      else if (n < last) this.#add("disordered", `${where} after ${last}`);
      else if (n > last + 1) this.#add("lost", `${where} after ${last}`);
    } else if (speech === undefined) {
      if (hearing.mayLag) return;
      this.#add("disordered", `${where}, long after it had ended`);
    } else if (n > 1 && hearing.beganAt < speech.beganAt) {
      this.#add("lost", `${where} first, but had joined before 1`);
    }
  }

  #add(kind: Fault["kind"], text: string): void {
    this.counts[kind] += 1;
    if (this.faults.length < MAX_FAULTS) this.faults.push({ kind, text });
  }
}

const MAX_FAULTS = 50;
