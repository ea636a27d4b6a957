// Bearer tokens of API users: a file with one line per token, which carries no token, only its hash.
//
//   sha256:<64 hex digits>,user,uid,"group1,group2"
//
// Beyond the first column it is the form of kube-apiserver's --token-auth-file. Blank lines and #
// comments are skipped. A line with a plain token is refused, with the way to make it a hash.

import { createHash } from 'node:crypto';
import type { HashedToken } from '../api/machinery/access/authenticate.ts';

// Each request compares with every hash, which takes a tenth of a microsecond each.
const tokensMax = 1_000;
// Shorter ones can be guessed from their hash.
const tokenCharactersMin = 16;

interface Row {
  readonly secret: string;
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
}

/** The tokens, or why a line cannot be read; the message never repeats the line. */
export function parseApiTokens(text: string): readonly HashedToken[] | string {
  const tokens: HashedToken[] = [];
  for (const { number, line } of toLines(text)) {
    const row = parseRow(line);
    if (row === undefined) return `line ${number}: ${expected}`;
    const [, digits] = /^sha256:([0-9a-f]{64})$/.exec(row.secret) ?? [];
    if (digits === undefined) {
      return (
        `line ${number}: the first column is no hash (sha256: and 64 hex digits); ` +
        `'isthmus-coordinator tokens hash < FILE' makes hashes of plain tokens`
      );
    }
    const { user, uid, groups } = row;
    tokens.push({
      hash: Buffer.from(digits, 'hex'),
      user: { name: user, groups, ...(uid === '' ? {} : { uid }) },
    });
  }
  if (tokens.length > tokensMax) {
    return `${tokens.length} tokens are more than the ${tokensMax} that a file may hold; use OIDC`;
  }
  return tokens;
}

const expected = 'expected sha256:<hex>,user,uid,"group1,group2"';

/** The same file with a hash in place of each plain token, or why a line cannot be read. */
export function hashApiTokens(text: string): { readonly text: string } | string {
  const lines: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const row = isComment(line) ? undefined : parseRow(line.trim());
    if (isComment(line)) lines.push(line);
    else if (row === undefined) return `line ${index + 1}: expected token,user,uid,"group1,group2"`;
    else if (row.secret.startsWith('sha256:')) lines.push(line.trim());
    else if (row.secret.length < tokenCharactersMin) {
      return `line ${index + 1}: a token has at least ${tokenCharactersMin} characters`;
    } else lines.push(formatRow(row));
  }
  return { text: lines.join('\n') };
}

/** The line of a token file. */
export function formatRow({ secret, user, uid, groups }: Row): string {
  const hash = createHash('sha256').update(secret).digest('hex');
  const list = groups.length === 0 ? '' : `,"${groups.join(',')}"`;
  return `sha256:${hash},${user},${uid}${list}`;
}

function toLines(text: string): readonly { readonly number: number; readonly line: string }[] {
  return text
    .split('\n')
    .map((line, index) => ({ number: index + 1, line: line.trim() }))
    .filter(({ line }) => !isComment(line));
}

function isComment(line: string): boolean {
  const trimmed = line.trim();
  return trimmed === '' || trimmed.startsWith('#');
}

function parseRow(line: string): Row | undefined {
  const match = /^([^,"\s]+),([^,"]+),([^,"]*)(?:,(?:"([^"]*)"|([^,"]*)))?$/.exec(line);
  const [, secret, user, uid = '', quoted, plain] = match ?? [];
  if (secret === undefined || user === undefined) return undefined;
  const groups = (quoted ?? plain ?? '').split(',').map((group) => group.trim());
  return { secret, user, uid, groups: groups.filter((group) => group !== '') };
}
