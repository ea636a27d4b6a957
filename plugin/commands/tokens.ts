// tokens list and tokens revoke: the join tokens that are out. Their secrets are shown to nobody.

import { parseTimestamp, systemClock as clock } from '../../common/runtime/clock.ts';
import { exitOk, outputFlag, type Command } from '../command.ts';
import { isthmus } from '../federation.ts';
import { formatAge, formatObjects, textAt, toTable } from '../output.ts';
import { readFormat } from '../read-flags.ts';

const tokensPath = `${isthmus}/jointokens`;

export const tokensList: Command = {
  words: ['tokens', 'list'],
  summary: 'Shows the join tokens: for whom, until when, who used them.',
  details: ["A token's secret is shown once, by 'kubectl isthmus join'; here it is not kept."],
  args: [],
  flags: [outputFlag],
  examples: [
    { says: 'Look', line: 'kubectl isthmus tokens list' },
    { says: 'Revoke all of them', line: 'kubectl delete $(kubectl isthmus tokens list -o name)' },
  ],
  run: async ({ flags, io, federation }) => {
    const format = readFormat(flags);
    const tokens = await federation().list(tokensPath);
    if (format !== undefined) {
      io.out(formatObjects(tokens, format));
      return exitOk;
    }
    if (tokens.length === 0) {
      io.say("No join tokens. 'kubectl isthmus join CLUSTER' makes one.");
      return exitOk;
    }
    const rows = tokens.map((token) => [
      token.metadata.name,
      textAt(token, 'spec', 'cluster') || '<any>',
      textAt(token, 'spec', 'approval') || '<default>',
      toExpiry(textAt(token, 'status', 'expirationTimestamp')),
      textAt(token, 'status', 'usedBy') || '<nobody>',
    ]);
    io.out(toTable(['NAME', 'CLUSTER', 'APPROVAL', 'EXPIRES', 'USED-BY'], rows));
    return exitOk;
  },
};

function toExpiry(text: string): string {
  const at = parseTimestamp(text);
  if (at === undefined) return '<unknown>';
  const leftMs = at - clock.now();
  return leftMs <= 0 ? 'expired' : `in ${formatAge(leftMs)}`;
}

export const tokensRevoke: Command = {
  words: ['tokens', 'revoke'],
  summary: 'Makes a join token useless.',
  details: [
    "A cluster that joined with it stays in; 'kubectl isthmus revoke CLUSTER' cuts that off.",
  ],
  args: [{ name: 'TOKEN', completes: 'tokens' }],
  flags: [],
  examples: [{ says: 'By its name', line: 'kubectl isthmus tokens revoke gke-berlin-x7k2m' }],
  run: async ({ args: [given = ''], io, federation }) => {
    // Who has the token at hand need not look for its name.
    const name = /^isthmus\.v1\.([^.]+)\./.exec(given)?.[1] ?? given;
    await federation().delete(`${tokensPath}/${encodeURIComponent(name)}`);
    io.out(`jointoken.isthmus.dev/${name} revoked\n`);
    return exitOk;
  },
};
