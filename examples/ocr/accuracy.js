// How many of a text's characters a reading got right: by edit distance, with runs of white space
// counted as one, since the breaking of lines is not part of the text.

/** The share of right characters, from 0 to 1. */
export function accuracy(wanted, found) {
  const one = normalise(wanted);
  const other = normalise(found);
  const longest = Math.max(one.length, other.length);
  return longest === 0 ? 1 : 1 - distance(one, other) / longest;
}

function normalise(text) {
  return [...text.replace(/\s+/g, ' ').trim()];
}

// Levenshtein with two rows: insertions, deletions and replacements cost one each.
function distance(one, other) {
  let above = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const change = above[column - 1] + (one[row - 1] === other[column - 1] ? 0 : 1);
      current.push(Math.min(change, above[column] + 1, current[column - 1] + 1));
    }
    above = current;
  }
  return above[other.length];
}
