// Headers on their way from one thread to the other: one text, which V8 copies at one go. To copy an
// object of ten headers takes it 30 us, which is half of what a request costs the door.

import type { AnswerHeaders } from './https-exchange.ts';

/** HTTP allows it in no name and no value (RFC 9110 5.5). */
const separator = '\0';

/** Throws when a value holds what would begin another header. */
export function toHeaderText(headers: Readonly<Partial<AnswerHeaders>>): string {
  const lines: string[] = [];
  for (const name in headers) {
    const value = headers[name] ?? '';
    if (typeof value === 'string') lines.push(name, value);
    else for (const each of value) lines.push(name, each);
  }
  if (lines.some((line) => line.includes(separator))) throw new Error('a header holds a NUL');
  return lines.join(separator);
}

/** Name and value by turns. */
export function toLines(text: string): readonly string[] {
  return text === '' ? [] : text.split(separator);
}

/** Of lines that came in: repeated names were joined before. */
export function toRecord(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = 0; at + 1 < lines.length; at += 2) headers[lines[at] ?? ''] = lines[at + 1] ?? '';
  return headers;
}
