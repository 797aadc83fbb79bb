/**
 * What is wrong with a page of charts, as scripts that a browser runs.
 *
 * Runs on: the test's thread hands them to the page.
 */

/** Pairs of texts that lie on each other, in the drawings that are shown. */
export const OVERLAPS = `[...document.querySelectorAll("figure.chart > svg")]
  .filter((svg) => svg.getBoundingClientRect().width > 0)
  .flatMap((svg) => {
    const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
    return texts.flatMap(([name, a], at) => texts.slice(at + 1)
      .filter(([, b]) => a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom)
      .map(([other]) => svg.parentElement.id + ": " + name + " on " + other));
  })`;

/** Texts that the edge of their drawing cuts off. */
export const CUT_OFF = `[...document.querySelectorAll("figure.chart > svg text")].filter((text) => {
  const [own, all] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
  return own.width > 0 && (own.left < all.left - 1 || own.right > all.right + 1 || own.top < all.top - 2 || own.bottom > all.bottom + 2);
}).map((text) => text.textContent)`;

/** The charts that are shown, each with the size in which it is. */
export const SHOWN = `[...document.querySelectorAll("figure.chart > svg")]
  .filter((svg) => svg.getBoundingClientRect().width > 0)
  .map((svg) => svg.parentElement.id + " " + svg.classList[0])`;

/** Whether the page is wider than the screen. */
export const SCROLLS =
  "document.documentElement.scrollWidth > document.documentElement.clientWidth";
