/**
 * Judges a run in sentences, which state whether everything arrived and whether the figures
 * describe the server.
 *
 * Runs on: the load test's process. Pure functions.
 */

import { formatCount, formatMs, formatShare } from "./charts/formats.ts";
import type { Statement } from "./charts/page.ts";
import { lostOf, type GeneratorResult, type ResultWindow } from "./result.ts";

/** Judges a run. */
export function judge(result: GeneratorResult): readonly Statement[] {
  const { window } = result;
  return [
    judgeDeliveries(result),
    ...result.failures.map((text): Statement => ({
      grade: "bad",
      text: `The run failed: ${text}`,
    })),
    judgeGenerator(window),
    ...judgePace(window),
    ...judgeCores(window),
    ...judgeDeaf(result),
  ];
}

function judgeDeliveries(result: GeneratorResult): Statement {
  const { expected, delivered, missing, doubled, disordered } = result;
  const all = formatCount(expected);
  if (expected === 0 && lostOf(result) === 0) {
    const [joined, connections] = [result.joined, result.connections].map(formatCount);
    return {
      grade: result.joined === result.connections ? "good" : "bad",
      text: `${joined} of ${connections} connections joined; there was nothing to deliver.`,
    };
  }
  if (lostOf(result) === 0 && delivered === expected) {
    return { grade: "good", text: `All ${all} deliveries arrived, each once and in order.` };
  }
  return {
    grade: "bad",
    text:
      `Of ${all} deliveries, ${formatCount(missing)} are missing, ${formatCount(doubled)} arrived twice, ` +
      `${formatCount(disordered)} arrived out of order.`,
  };
}

function judgeGenerator(window: ResultWindow): Statement {
  if (window.bottleneck !== null) {
    return {
      grade: "caution",
      text:
        `Latencies are not shown, because they would not be the server's: ${window.bottleneck}. ` +
        "Lower the rate, or give the generator more threads (--threads) or a core of its own.",
    };
  }
  return {
    grade: "good",
    text:
      `The generator was not the bottleneck: its busiest thread used ${formatShare(window.generatorCpuShare)} ` +
      `of a core, and 99 % of its sends were at most ${formatMs(window.latenessUs.p99 / 1_000)} late. ` +
      "This lateness is part of every latency.",
  };
}

function judgePace(window: ResultWindow): readonly Statement[] {
  if (!window.isServerBehind) return [];
  return [
    {
      grade: "caution",
      text:
        "The server fell behind: less than 95 % of the due messages arrived within the window. It is " +
        "saturated, and its latencies and CPU are those of a growing queue.",
    },
  ];
}

function judgeCores({ isServerStarved, serverWaitShare }: ResultWindow): readonly Statement[] {
  if (serverWaitShare === undefined) return [];
  const waited = formatShare(serverWaitShare);
  return isServerStarved
    ? [
        {
          grade: "caution",
          text:
            `The server was ready to run but had no core for ${waited} of the window. Meanwhile messages ` +
            "accumulate and then leave in fewer system calls, so its CPU per message looks better than it is, and its latencies look worse.",
        },
      ]
    : [
        {
          grade: "good",
          text: `The server had a core when it needed one, except for ${waited} of the window.`,
        },
      ];
}

function judgeDeaf({ deaf, deafClosed }: GeneratorResult): readonly Statement[] {
  if (deaf === 0) return [];
  return [
    {
      grade: "good",
      text: `${formatCount(deaf)} connections read nothing; the server closed ${formatCount(deafClosed)} of them.`,
    },
  ];
}
