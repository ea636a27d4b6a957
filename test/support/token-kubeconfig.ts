// A kubeconfig for one bearer token, as a file that every client of Kubernetes reads.

import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';

export function writeTokenKubeconfig(
  path: string,
  {
    server,
    caFile,
    user,
    token,
  }: {
    readonly server: string;
    readonly caFile: string;
    readonly user: string;
    readonly token: string;
  },
): void {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user, namespace: 'default' } }],
  };
  writeFileSync(path, stringify(config), { mode: 0o600 });
}
