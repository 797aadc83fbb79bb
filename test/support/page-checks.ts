/**
 * Checks of a page with charts, as scripts that the browser runs.
 *
 * Runs on: the page, to which the test passes them.
 */

/** Returns pairs of texts that overlap in the visible charts. */
export const OVERLAPS = `[...document.querySelectorAll("figure.chart > svg")]
  .filter((svg) => svg.getBoundingClientRect().width > 0)
  .flatMap((svg) => {
    const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
    return texts.flatMap(([name, a], at) => texts.slice(at + 1)
      .filter(([, b]) => a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom)
      .map(([other]) => svg.parentElement.id + ": " + name + " on " + other));
  })`;

/** Returns texts that are cut off at the edge of their chart. */
export const CUT_OFF = `[...document.querySelectorAll("figure.chart > svg text")].filter((text) => {
  const [own, all] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
  return own.width > 0 && (own.left < all.left - 1 || own.right > all.right + 1 || own.top < all.top - 2 || own.bottom > all.bottom + 2);
}).map((text) => text.textContent)`;

/** Returns the visible charts with their sizes. */
export const SHOWN = `[...document.querySelectorAll("figure.chart > svg")]
  .filter((svg) => svg.getBoundingClientRect().width > 0)
  .map((svg) => svg.parentElement.id + " " + svg.classList[0])`;

/** Reports whether the page is wider than the screen. */
export const SCROLLS =
  "document.documentElement.scrollWidth > document.documentElement.clientWidth";
