// XML as Route 53 speaks it: elements and text, no attributes that matter.

export interface XmlElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

/** Throws an Error that says where on anything that is not well-formed. */
export function parseXml(source: string): XmlElement {
  const stack: { name: string; text: string; children: XmlElement[] }[] = [
    { name: '', text: '', children: [] },
  ];
  const body = source.replace(/^\s*<\?xml[^>]*\?>/, '');
  let end = 0;
  for (const match of body.matchAll(/<(\/?)([\w:.-]+)[^>]*?(\/?)>|([^<]+)/g)) {
    if (match.index !== end) throw new Error(`malformed XML at ${end}`);
    end = match.index + match[0].length;
    const [, closes, name = '', isEmpty, text] = match;
    const top = stack.at(-1);
    if (top === undefined) throw new Error(`malformed XML at ${match.index}`);
    if (text !== undefined) top.text += unescapeXml(text);
    else if (closes === '/') {
      const done = stack.pop();
      if (done?.name !== name) throw new Error(`unexpected </${name}> at ${match.index}`);
      stack.at(-1)?.children.push(done);
    } else if (isEmpty === '/') top.children.push({ name, text: '', children: [] });
    else stack.push({ name, text: '', children: [] });
  }
  const [root] = stack[0]?.children ?? [];
  if (end !== body.length || stack.length !== 1 || root === undefined) {
    throw new Error('XML document structures must start and end within the same entity');
  }
  return root;
}

export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name === name);
}

export function textOf(element: XmlElement, name: string): string | undefined {
  return childOf(element, name)?.text;
}

export type XmlTree = string | number | boolean | readonly (readonly [string, XmlTree])[];

/** `[name, value]` pairs as elements. */
export function toXml(pairs: readonly (readonly [string, XmlTree])[]): string {
  return pairs
    .map(([name, value]) => {
      const inner = Array.isArray(value) ? toXml(value) : escapeXml(String(value));
      return `<${name}>${inner}</${name}>`;
    })
    .join('');
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};

function unescapeXml(text: string): string {
  return text.replace(/&(#x[\da-f]+|#\d+|\w+);/gi, (whole, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
    return entities[name] ?? whole;
  });
}
