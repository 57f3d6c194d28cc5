// Numbers and lists as text.

/** Return a share with enough digits to differ from 100%: "97%", "99.8%", "99.997%". Same as `percent` of the server. */
export function percent(share) {
  for (let digits = 0; digits < 5; digits += 1) {
    const text = (100 * share).toFixed(digits);
    if (Number(text) < 100) return `${text}%`;
  }
  return "100%";
}

/** Return words as a list: "a", "a and b", "a, b and c". */
export const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
