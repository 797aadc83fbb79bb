/**
 * Many clients, and what tears their connections.
 *
 * Each client has choices of its own that repeat for a seed: how long it stays connected, and whether its
 * connection ends with a reset. A client that is away at the time of its next tear is spared.
 *
 * Runs on: the clients' process.
 */

import { Random } from "../../../suites/random.ts";
import { Changes } from "../../../suites/changes.ts";
import { Hearing, nothingHeard, type Heard } from "../hearing.ts";
import { messagesEach, nowMs, type Load } from "../load.ts";
import { topicName } from "../servers/orders.ts";
import { SERVERS, type ServerName } from "../servers/servers.ts";
import type { ClientEvents, ClientSetting, DropsClient } from "./client.ts";
import { connectPhoenixClient } from "./phoenix-client.ts";
import { connectSocketIoClient } from "./socket-io-client.ts";

/** A part of the clients of a load. */
export interface CrowdSetting {
  readonly server: ServerName;
  readonly port: number;
  readonly load: Load;
  readonly seed: number;
  /** Number of the first client, and of the one behind the last. */
  readonly from: number;
  readonly to: number;
}

/** The clients that connect at the same time. */
const BATCH = 50;
const JOIN_DEADLINE_MS = 60_000;
/** Time for messages that arrive behind the mark of the end. */
const LATE_MS = 2_000;

/** The clients. */
export class Crowd {
  readonly heard: Heard = nothingHeard();
  tears = 0;
  readonly #setting: CrowdSetting;
  readonly #changes = new Changes();
  readonly #members: Member[] = [];
  #isTearing = false;

  constructor(setting: CrowdSetting) {
    this.#setting = setting;
  }

  /** Number of clients that are not joined. */
  get away(): number {
    return this.#members.filter(({ isHere }) => !isHere).length;
  }

  /** Connects all clients, and waits until they have joined. */
  async connect(): Promise<void> {
    const { from, to } = this.#setting;
    for (let number = from; number < to; number++) {
      this.#members.push(this.#enter(number));
      if ((number + 1 - from) % BATCH === 0) await this.#allHere();
    }
    await this.#allHere();
  }

  /** Begins to tear connections. */
  begin(): void {
    this.#isTearing = true;
    const { tearEveryMs } = this.#setting.load;
    for (const member of this.#members) {
      // Anywhere between two tears, so that they are spread from the beginning.
      this.#tearAfter(member, member.random.below(tearEveryMs));
    }
  }

  /** Stops tearing, and waits until all clients are back. */
  async rest(): Promise<void> {
    this.#isTearing = false;
    for (const { timer } of this.#members) clearTimeout(timer);
    await this.#allHere();
  }

  /**
   * Waits until the mark of the end has reached all clients, and a moment longer for those that have not
   * got everything. Then they leave.
   */
  async leave(withinMs: number): Promise<void> {
    const messages = messagesEach(this.#setting.load);
    await this.#changes.untilOr(
      () => this.#members.every(({ hearing }) => hearing.hasEnded),
      withinMs,
    );
    await this.#changes.untilOr(
      () => this.#members.every(({ hearing }) => hearing.hasAll(messages)),
      LATE_MS,
    );
    for (const { client, hearing } of this.#members) {
      hearing.leave();
      client.close();
    }
  }

  #allHere(): Promise<void> {
    return this.#changes.until(() => this.away === 0, "all clients to join", JOIN_DEADLINE_MS);
  }

  #enter(number: number): Member {
    const { server, port, load, seed } = this.#setting;
    const { client: kind, prefix } = SERVERS[server];
    const hearing = new Hearing(this.heard);
    const topic = topicName(prefix, number % load.topics);
    const events: ClientEvents = {
      back: () => hearing.back(nowMs()),
      joined: (isTold) => {
        if (isTold) hearing.told();
        member.isHere = true;
        this.#changes.changed();
      },
      left: () => {
        hearing.leave();
        member.isHere = false;
      },
      heard: (message) => hearing.hear(message, nowMs()),
      ended: () => {
        hearing.hasEnded = true;
        this.#changes.changed();
      },
    };
    const setting: ClientSetting = { port, topic, awayMs: load.awayMs };
    const client =
      kind === "phoenix"
        ? connectPhoenixClient(setting, events)
        : connectSocketIoClient(setting, prefix === "recovery", events);
    const member: Member = {
      client,
      hearing,
      random: Random.of(seed, 0, number),
      isHere: false,
      timer: undefined,
    };
    return member;
  }

  #tearAfter(member: Member, ms: number): void {
    member.timer = setTimeout(() => {
      const { tearEveryMs, awayMs } = this.#setting.load;
      const isReset = member.random.chance(0.5);
      if (member.isHere && this.#isTearing) {
        this.tears += 1;
        member.client.tear(isReset);
      }
      const stay = member.random.between(Math.ceil(tearEveryMs / 2), Math.ceil(tearEveryMs * 1.5));
      this.#tearAfter(member, awayMs + stay);
    }, ms);
  }
}

interface Member {
  readonly client: DropsClient;
  readonly hearing: Hearing;
  readonly random: Random;
  /** Whether it is joined. */
  isHere: boolean;
  timer: NodeJS.Timeout | undefined;
}
