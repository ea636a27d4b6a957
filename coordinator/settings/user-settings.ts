// The settings about users, tokens, OpenID Connect and the audit log.

import type { Setting, SettingValues } from '../../common/runtime/settings.ts';

/** Named as kube-apiserver names them. */
export const userSettings: readonly Setting[] = [
  {
    name: 'api-tokens',
    kind: 'text',
    description: 'File of hashed bearer tokens; `isthmus-coordinator tokens` makes its lines.',
  },
  {
    name: 'oidc-issuer-url',
    kind: 'text',
    description: 'OpenID Connect issuer (https) whose ID tokens are accepted.',
  },
  {
    name: 'oidc-client-id',
    kind: 'list',
    description: 'Audiences of ID tokens: one of them must be in `aud`.',
  },
  {
    name: 'oidc-username-claim',
    kind: 'text',
    default: 'sub',
    description: 'Claim that is the name of the user.',
  },
  {
    name: 'oidc-username-prefix',
    kind: 'text',
    description:
      'Before each name; - for none. Default: the issuer and #, unless the claim is email.',
  },
  { name: 'oidc-groups-claim', kind: 'text', description: 'Claim that lists the groups.' },
  {
    name: 'oidc-groups-prefix',
    kind: 'text',
    description: 'Before each group, such as oidc:.',
  },
  {
    name: 'oidc-required-claim',
    kind: 'list',
    description: 'claim=value that ID tokens must have.',
  },
  {
    name: 'oidc-ca-file',
    kind: 'text',
    description: 'PEM of the CAs of the issuer. Default: those that Node trusts.',
  },
  {
    name: 'oidc-signing-algs',
    kind: 'list',
    default: 'RS256',
    description: 'Signature algorithms of ID tokens that are believed.',
  },
  {
    name: 'audit-log-path',
    kind: 'text',
    description: 'File of the audit log, JSON lines. Default: none is written.',
  },
  {
    name: 'audit-policy-file',
    kind: 'text',
    description: 'audit.k8s.io/v1 Policy. Default: Metadata of every request.',
  },
  {
    name: 'audit-log-maxsize',
    kind: 'number',
    default: '100',
    min: 1,
    max: 10_000,
    description: 'Megabytes of the audit log before a new file is begun.',
  },
  {
    name: 'audit-log-maxbackup',
    kind: 'number',
    default: '5',
    min: 0,
    max: 1_000,
    description: 'Former files of the audit log that stay.',
  },
];

/** What the table's kinds cannot say; undefined when all is well. */
export function checkUserSettings(values: SettingValues): string | undefined {
  const issuer = values.text('oidc-issuer-url');
  if (issuer !== undefined && !/^https:\/\/[^?#]+$/.test(issuer)) {
    return '--oidc-issuer-url: an https URL without query is needed';
  }
  if (issuer !== undefined && values.list('oidc-client-id').length === 0) {
    return '--oidc-client-id: needed with --oidc-issuer-url, so that tokens for others are refused';
  }
  const claim = values.list('oidc-required-claim').find((each) => !/^[^=]+=./.test(each));
  if (claim !== undefined) return `--oidc-required-claim: "${claim}" is not claim=value`;
  const algorithm = values
    .list('oidc-signing-algs')
    .find((each) => !signatureAlgorithms.includes(each));
  if (algorithm !== undefined) {
    return `--oidc-signing-algs: "${algorithm}" is none of ${signatureAlgorithms.join(', ')}`;
  }
  return undefined;
}

// Public keys only: with a shared secret every verifier could forge tokens.
const signatureAlgorithms: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
];
