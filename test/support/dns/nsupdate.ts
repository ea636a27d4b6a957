// Another hand at a zone: BIND's own nsupdate, with a person's key.

import { execFile } from 'node:child_process';
import type { ZoneRecordSet } from '../../../coordinator/dns/provider/provider.ts';
import { secretText, type DnsKey } from './dns-server.ts';

const setsPerMessage = 400;

/** Makes or replaces, or removes, whole sets. */
export async function nsupdate(
  at: { readonly port: number; readonly zone: string; readonly key: DnsKey },
  change: 'put' | 'remove',
  sets: readonly ZoneRecordSet[],
): Promise<void> {
  const lines = [`server 127.0.0.1 ${at.port}`, `zone ${at.zone}.`];
  for (const [index, set] of sets.entries()) {
    lines.push(`update delete ${set.name}. ${set.type}`);
    if (change === 'put') {
      const head = `update add ${set.name}. ${set.ttlSeconds} ${set.type}`;
      lines.push(...set.values.map((value) => `${head} ${written(set.type, value)}`));
    }
    if ((index + 1) % setsPerMessage === 0) lines.push('send');
  }
  lines.push('send', '');
  const key = `hmac-sha256:${at.key.name}:${secretText(at.key)}`;
  await new Promise<void>((resolve, reject) => {
    const child = execFile(
      '/usr/bin/nsupdate',
      ['-v', '-t', '20', '-y', key],
      (error, _out, said) => {
        if (error === null && said === '') resolve();
        else reject(new Error(`nsupdate: ${said} ${String(error)}`));
      },
    );
    child.stdin?.end(lines.join('\n'));
  });
}

function written(type: string, value: string): string {
  switch (type) {
    case 'TXT':
      return `"${value.replace(/"/g, '\\"')}"`;
    case 'CNAME':
    case 'MX':
    case 'NS':
    case 'SRV':
    case 'DNAME':
      return `${value}.`;
    default:
      return value;
  }
}
