/** Keeps a textarea and a Y.Text in sync. The selection stays in its place in the text. */
export function bindText(area, text) {
  area.value = text.toString();

  area.addEventListener("input", () => {
    const { start, removed, added } = changeOf(text.toString(), area.value, area.selectionEnd);
    text.doc.transact(() => {
      text.delete(start, removed);
      text.insert(start, added);
    }, area);
  });

  text.observe(({ delta, transaction }) => {
    if (transaction.origin === area) return;
    const selection = [area.selectionStart, area.selectionEnd].map((at) => moved(at, delta));
    area.value = text.toString();
    area.setSelectionRange(...selection);
  });
}

/** Finds a single change between two texts: what was removed and added at one place before the caret. */
function changeOf(before, after, caret) {
  const least = Math.min(before.length, after.length);
  let behind = 0;
  while (behind < Math.min(least, after.length - caret) && isSame(before, after, behind)) {
    behind += 1;
  }
  let start = 0;
  while (start < least - behind && before[start] === after[start]) start += 1;
  return {
    start,
    removed: before.length - behind - start,
    added: after.slice(start, after.length - behind),
  };
}

/** Reports whether two texts have the same character at a distance from their ends. */
function isSame(one, other, fromEnd) {
  return one[one.length - 1 - fromEnd] === other[other.length - 1 - fromEnd];
}

/** Returns where a position in a text is after a remote change. */
function moved(place, delta) {
  let at = 0;
  let now = place;
  for (const { retain = 0, insert = "", delete: removed = 0 } of delta) {
    at += retain;
    if (at < now) now += insert.length - Math.min(removed, now - at);
    at += insert.length;
  }
  return now;
}
