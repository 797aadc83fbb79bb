/**
 * Shows the values under the pointer: a line at the nearest point of a chart, and a box with the values.
 *
 * All texts are in the JSON within each figure; this script only finds the point nearest to the
 * pointer. Without the script, only these values are missing from the page.
 *
 * Runs on: the browser.
 */

for (const figure of document.querySelectorAll("figure.chart")) {
  const { heads, names, texts } = JSON.parse(figure.querySelector("script").textContent);
  const box = figure.querySelector(".values");

  const hide = () => {
    box.hidden = true;
    for (const line of figure.querySelectorAll(".cursor"))
      line.setAttribute("visibility", "hidden");
  };

  const fill = (at) => {
    const head = document.createElement("b");
    head.textContent = heads[at];
    const rows = names.flatMap((name, index) => {
      const text = texts[index][at];
      if (text === "") return [];
      const row = document.createElement("div");
      for (const part of [name, text]) {
        row.append(Object.assign(document.createElement("span"), { textContent: part }));
      }
      return [row];
    });
    box.replaceChildren(head, ...rows);
  };

  const show = (svg, event) => {
    const xs = svg.dataset.xs.split(" ").map(Number);
    if (xs.length === 0 || heads.length === 0) return;
    const drawn = svg.getBoundingClientRect();
    const scale = drawn.width / svg.viewBox.baseVal.width;
    const pointer = (event.clientX - drawn.left) / scale;
    let at = 0;
    for (const [index, x] of xs.entries()) {
      if (Math.abs(x - pointer) < Math.abs(xs[at] - pointer)) at = index;
    }
    const line = svg.querySelector(".cursor");
    line.setAttribute("x1", xs[at]);
    line.setAttribute("x2", xs[at]);
    line.setAttribute("visibility", "visible");
    fill(at);
    box.hidden = false;
    // Placed next to the line, on the side with more room, and within the figure.
    const frame = figure.getBoundingClientRect();
    const x = drawn.left - frame.left + xs[at] * scale;
    const isRight = xs[at] < svg.viewBox.baseVal.width / 2;
    const left = isRight ? x + 12 : x - 12 - box.offsetWidth;
    const most = frame.width - box.offsetWidth;
    box.style.left = `${Math.max(0, Math.min(most, left))}px`;
    box.style.top = `${drawn.top - frame.top + 40 * scale}px`;
  };

  for (const svg of figure.querySelectorAll("svg.wide, svg.narrow")) {
    for (const kind of ["pointermove", "pointerdown"]) {
      svg.addEventListener(kind, (event) => show(svg, event));
    }
    svg.addEventListener("pointerleave", (event) => {
      // After a touch, the values stay visible so that they can be read.
      if (event.pointerType === "mouse") hide();
    });
  }
}
