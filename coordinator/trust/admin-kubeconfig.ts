// The bootstrap admin's kubeconfig, with the guide's context name.

import { stringify } from 'yaml';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';

export const contextName = 'federation-cluster';

/** YAML with everything embedded, so that it can be copied to another machine. */
export function toAdminKubeconfig(options: {
  readonly apiUrl: string;
  readonly caPem: string;
  readonly admin: KeyPairPem;
}): string {
  const user = `${contextName}-admin`;
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': contextName,
    clusters: [
      {
        name: contextName,
        cluster: { server: options.apiUrl, 'certificate-authority-data': toBase64(options.caPem) },
      },
    ],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': toBase64(options.admin.certPem),
          'client-key-data': toBase64(options.admin.keyPem),
        },
      },
    ],
    contexts: [{ name: contextName, context: { cluster: contextName, user } }],
  });
}

function toBase64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
