// Bearer tokens of API users from a file, one per line: token,user,uid,"group1,group2", the form
// of kube-apiserver's --token-auth-file. Blank lines and # comments are skipped.

import type { StaticToken } from './api/machinery/access/authenticate.ts';

/** The tokens, or why a line cannot be read; the message never repeats the line. */
export function parseApiTokens(text: string): readonly StaticToken[] | string {
  const tokens: StaticToken[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const match = /^([^,"\s]{16,}),([^,"]+),([^,"]*)(?:,(?:"([^"]*)"|([^,"]*)))?$/.exec(trimmed);
    const [, token, user, , quoted, plain] = match ?? [];
    if (token === undefined || user === undefined) {
      return `line ${index + 1}: expected token,user,uid,"group1,group2" with a token of at least 16 characters`;
    }
    const groups = (quoted ?? plain ?? '').split(',').map((group) => group.trim());
    tokens.push({ token, user, groups: groups.filter((group) => group !== '') });
  }
  return tokens;
}
