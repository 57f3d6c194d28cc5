// Numbers as people say them.

/** A share in as many digits as tell it from all: "97%", "99.8%", "99.997%". The same as `percent` of the server. */
export function percent(share) {
  for (let digits = 0; digits < 5; digits += 1) {
    const text = (100 * share).toFixed(digits);
    if (Number(text) < 100) return `${text}%`;
  }
  return "100%";
}

/** "a", "a and b", "a, b and c". */
export const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
