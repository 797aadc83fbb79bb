import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  formatBytes,
  formatMs,
  formatNumber,
  formatRate,
  formatShare,
  unitOfBytes,
} from "../../scripts/load/charts/formats.ts";
import { drawGroupChart } from "../../scripts/load/charts/group-chart.ts";
import {
  drawTailChart,
  drawTimeChart,
  formatQuantile,
} from "../../scripts/load/charts/line-chart.ts";
import { embedJson, escapeText } from "../../scripts/load/charts/markup.ts";
import {
  makeLinearScale,
  makeLogScale,
  makeSpanScale,
  makeTailScale,
} from "../../scripts/load/charts/scale.ts";
import { drawSweepChart } from "../../scripts/load/charts/sweep-chart.ts";

const MIB = 1_048_576;

/** The narrow gaps of numbers as ordinary spaces. */
function plain(text: string): string {
  return text.replaceAll("\u202f", " ");
}

function run(value: number, isSound = true): { value: number; isSound: boolean } {
  return { value, isSound };
}

/** Paths of the lines of a drawing in one size, in their order. */
function pathsOf(markup: string, size: "wide" | "narrow"): readonly string[] {
  const drawing = markup.split(`<svg class="${size}"`)[1]?.split("</svg>")[0] ?? "";
  return [...drawing.matchAll(/<path class="[^"]*" d="([^"]*)"/g)].map(
    ([, path]) => path as string,
  );
}

describe("numbers", () => {
  it("have three digits that count, and thousands apart", () => {
    const written = [0, 0.0004, 0.1234, 1.2345, 12.345, 123.4, 12_345.6, 1_234_567].map(
      formatNumber,
    );
    assert.deepEqual(written.map(plain), [
      "0",
      "0",
      "0.123",
      "1.23",
      "12.3",
      "123",
      "12 346",
      "1 234 567",
    ]);
  });
  it("have their unit", () => {
    assert.deepEqual(
      [
        formatMs(0.25),
        formatMs(12_000),
        formatShare(0.5),
        formatRate(2_000),
        formatBytes(1_536),
      ].map(plain),
      ["0.25 ms", "12 s", "50 %", "2 000/s", "1.5 KiB"],
    );
    assert.equal(unitOfBytes(3 * MIB), MIB);
  });
});

describe("a linear axis", () => {
  it("begins at 0, ends at a round value, and has as many ticks as there is room for", () => {
    assert.deepEqual(makeLinearScale(9_400, 6).ticks, [0, 2_000, 4_000, 6_000, 8_000, 10_000]);
    assert.deepEqual(makeLinearScale(0.3, 4).ticks, [0, 0.1, 0.2, 0.3]);
    assert.equal(makeLinearScale(9_400, 6).place(5_000), 0.5);
  });
  it("has round numbers of MiB where it shows bytes", () =>
    assert.deepEqual(makeLinearScale(50 * MIB, 4, MIB).ticks, [0, 20 * MIB, 40 * MIB, 60 * MIB]));
  it("of nothing but zeros is one all the same", () =>
    assert.equal(makeLinearScale(0, 5).place(0), 0));
});

describe("an axis of time", () => {
  it("has its ticks within the time that there is", () =>
    assert.deepEqual(makeSpanScale(0, 8.5, 6).ticks, [0, 2, 4, 6, 8]));
});

describe("a logarithmic axis", () => {
  it("puts equal ratios equally far apart", () => {
    const { place } = makeLogScale([0.1, 10], 9);
    assert.deepEqual([place(0.1), place(1), place(10)], [0, 0.5, 1]);
  });
  it("has finer ticks where there is room for them", () => {
    assert.deepEqual(makeLogScale([1, 100], 9).ticks, [1, 2, 5, 10, 20, 50, 100]);
    assert.deepEqual(makeLogScale([1, 100], 5).ticks, [1, 3, 10, 30, 100]);
    assert.deepEqual(makeLogScale([1, 100], 4).ticks, [1, 10, 100]);
  });
  it("shows what is no more than 0 at its least end, and bears having nothing to show", () => {
    assert.equal(makeLogScale([1, 100], 9).place(0), 0);
    assert.deepEqual(makeLogScale([], 9).ticks, [1, 2, 5, 10]);
  });
});

describe("an axis of quantiles", () => {
  it("gives each further nine the same room", () => {
    const { place, ticks } = makeTailScale(0.001);
    assert.deepEqual(ticks.map(formatQuantile), ["0 %", "90 %", "99 %", "99.9 %"]);
    assert.deepEqual(
      [0, 0.9, 0.99, 0.999, 1].map((quantile) => Math.round(place(quantile) * 3_000)),
      [0, 1_000, 2_000, 3_000, 3_000],
    );
  });
});

describe("a chart over time", () => {
  const markup = drawTimeChart({
    id: "rate",
    title: "Rate <of> all",
    about: "What came.",
    seconds: [1, 2, 3, 4],
    series: [{ name: "a & b", values: [10, null, 20, 40] }],
    bands: [{ from: 2, to: 4, label: "measured" }],
    unit: "messages a second",
    format: formatNumber,
  });

  it("draws each size with lines that are broken where a value is missing", () => {
    const wide = pathsOf(markup, "wide");
    assert.equal(wide.length, 1);
    assert.match(wide[0] as string, /^M[\d.]+ [\d.]+h0M[\d.]+ [\d.]+h0L844 38$/);
    assert.match(pathsOf(markup, "narrow")[0] as string, /L324 38$/);
  });
  it("names its unit, and shades what was measured", () => {
    assert.match(markup, /<text class="axis"[^>]*>messages a second<\/text>/);
    assert.equal(markup.match(/class="band"/g)?.length, 2);
  });
  it("writes names as text, never as markup", () => {
    assert.match(markup, /<h3>Rate &lt;of&gt; all<\/h3>/);
    assert.match(markup, /a &amp; b<\/li>/);
  });
  it("carries its values as they are shown under a pointer", () => {
    const json = /<script type="application\/json">(.*)<\/script>/.exec(markup)?.[1] ?? "";
    const { heads, names, texts } = JSON.parse(json) as Record<string, unknown>;
    assert.deepEqual(
      heads,
      ["1", "2", "3", "4"].map((second) => `${second}\u202fs`),
    );
    assert.deepEqual([names, texts], [["a & b"], [["10", "", "20", "40"]]]);
  });
});

describe("a distribution", () => {
  it("ends at the last sample, which has no place on the axis", () => {
    const markup = drawTailChart({
      id: "tail",
      title: "Tail",
      about: "",
      quantiles: [0, 0.9, 0.99, 1],
      series: [{ name: "latency", values: [1, 2, 4, 4] }],
      unit: "latency",
      format: formatMs,
    });
    assert.match(pathsOf(markup, "wide")[0] as string, /L844 ([\d.]+)L844 \1$/);
    assert.match(markup, />99 %<\/text>/);
  });
});

describe("labels of an axis", () => {
  it("are left out where they would lie on the one before", () => {
    const quantiles = [0, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999];
    const values = quantiles.map((_, at) => at);
    const series = [{ name: "latency", values }];
    const chart = { id: "tail", title: "Tail", about: "", unit: "ms", format: formatMs };
    const markup = drawTailChart({ ...chart, quantiles, series });
    const labelsIn = (size: string): number =>
      [
        ...(markup.split(`<svg class="${size}"`)[1]?.split("</svg>")[0] ?? "").matchAll(
          /\d %<\/text>/g,
        ),
      ].length;
    assert.equal(labelsIn("wide"), 7);
    assert.ok(labelsIn("narrow") < 7, `${labelsIn("narrow")} labels`);
  });
});

describe("a chart over settings", () => {
  const markup = drawSweepChart({
    id: "shards",
    title: "Throughput",
    about: "",
    setting: "SIMURGH_SHARDS",
    settings: [
      {
        label: "1",
        isDefault: false,
        isRecommended: true,
        median: 20,
        runs: [run(10), run(20), run(30)],
      },
      { label: "2", isDefault: true, isRecommended: false, median: null, runs: [run(40, false)] },
    ],
    unit: "deliveries a second",
    format: formatNumber,
  });

  it("has a dot for each run, hollow where it may not be compared", () => {
    assert.equal(markup.match(/<circle class="run"/g)?.length, 6);
    assert.equal(markup.match(/<circle class="run unsound"/g)?.length, 2);
  });
  it("marks the default and what is recommended", () => {
    assert.match(markup, />default<\/text>/);
    assert.match(markup, />★<\/text>/);
  });
  it("tells medians and spreads under a pointer", () => {
    assert.match(markup, /"heads":\["1, recommended","2, default"\]/);
    assert.match(markup, /"texts":\[\["20","none"\],\["10 to 30","40 to 40"\]\]/);
  });
});

describe("a chart of groups over settings", () => {
  const markup = drawGroupChart({
    id: "cost",
    title: "Cost",
    about: "",
    setting: "shards",
    labels: ["1", "2", "4"],
    groups: [
      { name: "slow", values: [run(10), run(30, false), run(20)], reference: run(5, false) },
      { name: "fast", values: [run(40), null, null], reference: null },
    ],
    referenceName: "bare",
    unit: "CPU",
    format: formatNumber,
  });

  it("joins only values that can be compared, and has a dashed line for a reference", () => {
    const [reference = "", line = "", ...others] = pathsOf(markup, "wide");
    assert.match(reference, /^M\d+ ([\d.]+)H844$/);
    assert.equal(line.split("L").length, 2);
    assert.deepEqual(others, []);
    assert.match(markup, /<path class="line c0 dashed" d="M/);
  });
  it("has a dot for each value in the colour of its group, hollow if it cannot be compared", () => {
    const dots = [...markup.matchAll(/<circle class="([^"]*)"/g)].map(([, name]) => name);
    const drawn = ["dot hollow c0", "dot c0", "dot hollow c0", "dot c0", "dot c1"];
    assert.deepEqual(dots, [...drawn, ...drawn]);
  });
  it("shows the values of each group beside its reference under a pointer", () => {
    assert.match(markup, /"names":\["slow","slow, bare","fast"\]/);
    const hollow = "5, not comparable";
    const texts = [
      ["10", "30, not comparable", "20"],
      [hollow, hollow, hollow],
      ["40", "", ""],
    ];
    assert.ok(markup.includes(`"texts":${JSON.stringify(texts)}`), markup);
  });
});

describe("markup", () => {
  it("is not ended by what stands in it", () => {
    assert.equal(escapeText(`<a href="'">&`), "&lt;a href=&quot;&#39;&quot;&gt;&amp;");
    assert.equal(embedJson(["</script>"]), String.raw`["\u003c/script>"]`);
  });
});
