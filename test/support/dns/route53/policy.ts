// The IAM policy of docs/dns.md as the double enforces it: what is told to people is enough, and
// what it keeps out is kept out.

import { readFileSync } from 'node:fs';
import { canonicalName } from './names.ts';
import { childOf, parseXml, textOf } from './xml.ts';
import type { Action } from './service.ts';

interface Statement {
  readonly Action: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

/** The first JSON of the document that grants Route 53, for another federation and domain. */
export function readDocumentedPolicy(names: {
  readonly federation: string;
  readonly domain: string;
}): readonly Statement[] {
  const text = readFileSync('docs/dns.md', 'utf8');
  const [, json = ''] =
    /```json\n(\{[^`]*route53:ChangeResourceRecordSets[^`]*\})\n```/.exec(text) ?? [];
  const written = json
    .replaceAll('myfederation', names.federation)
    .replaceAll('example.com', names.domain);
  return (JSON.parse(written) as { readonly Statement: readonly Statement[] }).Statement;
}

export function isAllowed(
  statements: readonly Statement[],
  request: { readonly action: Action; readonly body: string },
): boolean {
  const facts = request.action === 'ChangeResourceRecordSets' ? factsOf(request.body) : {};
  return statements.some(
    ({ Action, Condition = {} }) =>
      [Action].flat().includes(`route53:${request.action}`) &&
      Object.entries(Condition).every(([operator, keys]) =>
        Object.entries(keys).every(([key, allowed]) =>
          (facts[key] ?? []).every((value) =>
            allowed.some((pattern) => matches(operator, pattern, value)),
          ),
        ),
      ),
  );
}

function matches(operator: string, pattern: string, value: string): boolean {
  if (operator === 'ForAllValues:StringEquals') return pattern === value;
  if (operator !== 'ForAllValues:StringLike') throw new Error(`no operator ${operator}`);
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`).test(value);
}

function factsOf(body: string): Readonly<Record<string, readonly string[]>> {
  const batch = childOf(parseXml(body), 'ChangeBatch');
  const changes = (batch && childOf(batch, 'Changes'))?.children ?? [];
  const sets = changes.flatMap((change) => childOf(change, 'ResourceRecordSet') ?? []);
  const key = (name: string): string => `route53:ChangeResourceRecordSets${name}`;
  return {
    [key('Actions')]: changes.map((change) => textOf(change, 'Action') ?? ''),
    [key('RecordTypes')]: sets.map((set) => textOf(set, 'Type') ?? ''),
    [key('NormalizedRecordNames')]: sets.map((set) =>
      canonicalName(textOf(set, 'Name') ?? '').replace(/\.$/, ''),
    ),
  };
}
