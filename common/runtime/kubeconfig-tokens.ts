// Keeps what an OpenID provider gave in place of the former tokens, in the kubeconfig that they came
// from, as kubectl does: a refresh token that is good once would else be dead for everybody.

import { readFile, realpath } from 'node:fs/promises';
import { isMap, isSeq, parseDocument, type Document } from 'yaml';
import type { OidcTokens } from './oidc-credential.ts';
import { writePrivateFile } from './private-file.ts';

/** Comments and order of the file stay. Rejects with the system's error. */
export async function keepTokens(
  at: { readonly path: string; readonly user: string },
  { idToken, refreshToken }: OidcTokens,
): Promise<void> {
  const path = await realpath(at.path); // a link stays one
  const document = parseDocument(await readFile(path, 'utf8'));
  const index = indexOfUser(document, at.user);
  if (index === undefined) return; // somebody took it out meanwhile
  const config = ['users', index, 'user', 'auth-provider', 'config'];
  document.setIn([...config, 'id-token'], idToken);
  if (refreshToken !== undefined) document.setIn([...config, 'refresh-token'], refreshToken);
  await writePrivateFile(path, document.toString());
}

function indexOfUser(document: Document, name: string): number | undefined {
  const users = document.get('users');
  if (!isSeq(users)) return undefined;
  const index = users.items.findIndex((item) => isMap(item) && item.get('name') === name);
  return index < 0 ? undefined : index;
}
