// A text without the characters that it ends with. Not by /x+$/: that looks from each x of the text
// to its end, and 60,000 slashes in a path took it seven seconds. Pure.

/** `tail` is one character. */
export function withoutTail(text: string, tail: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === tail) end -= 1;
  return text.slice(0, end);
}
