// Domain names by the service's rules: escapes in octal, lower-case, sorted from the right. Written
// anew, not taken from the adapter: each has to find the other's mistakes.

/** Lower-case with a trailing dot; what is no letter, digit, - or _ as \ooo. */
export function canonicalName(written: string): string {
  return `${toLabels(written)
    .map((label) => label.replace(/[^a-z0-9_-]/g, toOctal))
    .join('.')}.`;
}

/** Labels as latin1 text. A name without labels, or with an empty one, has an empty label. */
export function toLabels(written: string): readonly string[] {
  const labels: string[] = [];
  let label = '';
  const bytes = Buffer.from(written.replace(/\.$/, ''), 'utf8').toString('latin1');
  for (let at = 0; at < bytes.length; at += 1) {
    const c = bytes.charAt(at);
    const escaped = /^\\([0-7]{3})/.exec(bytes.slice(at, at + 4))?.[1];
    if (escaped !== undefined) {
      label += lower(String.fromCharCode(Number.parseInt(escaped, 8) & 0xff));
      at += 3;
    } else if (c === '.') {
      labels.push(label);
      label = '';
    } else label += lower(c);
  }
  labels.push(label);
  return labels;
}

function lower(c: string): string {
  return c >= 'A' && c <= 'Z' ? c.toLowerCase() : c;
}

/** Labels from the right, each with its dot: the order of ListResourceRecordSets. */
export function listKey(written: string): string {
  return toLabels(written)
    .toReversed()
    .map((label) => `${label}.`)
    .join('');
}

/** What is wrong with a name, in the service's words. */
export function nameFault(written: string): string | undefined {
  const labels = toLabels(written);
  const say = (code: string, text: string): string =>
    `FATAL problem: ${code} (${text}) encountered with '${written}'`;
  if (labels.some((label) => label === '')) return say('DomainLabelEmpty', 'Domain label is empty');
  if (labels.some((label) => label.length > 63)) {
    return say('DomainLabelTooLong', 'Domain label is too long');
  }
  const bytes = labels.reduce((sum, label) => sum + label.length + 1, 1);
  return bytes > 255 ? say('DomainNameTooLong', 'Domain name is too long') : undefined;
}

function toOctal(byte: string): string {
  return `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`;
}
