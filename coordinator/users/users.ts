// Who may come in and what is written down of it: the adapters of users, tokens, OpenID Connect and
// the audit log that the settings (user-settings.ts) ask for.

import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { MeshError } from '../../common/pure/errors.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Lifecycle } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { SettingValues } from '../../common/runtime/settings.ts';
import { parseApiTokens } from './api-tokens.ts';
import { openAuditFile } from '../api/access/json-lines-audit.ts';
import { createJsonFetcher } from '../api/access/https-json.ts';
import { createOidc } from '../api/access/oidc.ts';
import type { OidcOptions } from '../api/access/oidc-claims.ts';
import { openTokenFile } from '../api/access/token-file.ts';
import type { Access } from '../api/machinery/access/access.ts';
import type { AuditOptions } from '../api/machinery/access/request-audit.ts';
import {
  defaultAuditPolicy,
  parseAuditPolicy,
  type AuditPolicy,
} from '../api/machinery/access/audit-policy.ts';
import {
  authenticateWith,
  reviewWith,
  type Authenticate,
  type TokenSource,
} from '../api/machinery/access/authenticate.ts';

export interface UserPorts {
  readonly settings: SettingValues;
  readonly lifecycle: Lifecycle;
  readonly onReload: (reload: { readonly name: string; reload(): Promise<void> }) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface Users {
  readonly authenticate: Authenticate;
  readonly reviewToken: Access['reviewToken'];
  readonly audit: AuditOptions | undefined;
}

/** Rejects when a file that is named cannot be used. What it opens is closed with the process. */
export async function openUsers(ports: UserPorts): Promise<Users> {
  const sources = [...(await openTokens(ports)), ...openOidc(ports)];
  return {
    authenticate: authenticateWith(sources),
    reviewToken: reviewWith(sources),
    audit: await openAudit(ports),
  };
}

async function openTokens(ports: UserPorts): Promise<readonly TokenSource[]> {
  const { settings, lifecycle, onReload } = ports;
  const path = settings.text('api-tokens');
  if (path === undefined) return [];
  const file = await openTokenFile({ ...ports, path, parse: parseApiTokens });
  onReload({ name: 'api-tokens', reload: () => file.reload() });
  lifecycle.onClose({
    name: 'api-tokens',
    close: () => {
      file.close();
      return Promise.resolve();
    },
  });
  return [file];
}

function openOidc({ settings, clock, log }: UserPorts): readonly TokenSource[] {
  const issuer = settings.text('oidc-issuer-url');
  if (issuer === undefined) return [];
  const caFile = settings.text('oidc-ca-file');
  const caPem = caFile === undefined ? undefined : readFileSync(caFile, 'utf8');
  const options: OidcOptions = {
    issuer,
    audiences: settings.list('oidc-client-id'),
    usernameClaim: settings.text('oidc-username-claim') ?? 'sub',
    usernamePrefix: settings.text('oidc-username-prefix'),
    groupsClaim: settings.text('oidc-groups-claim'),
    groupsPrefix: settings.text('oidc-groups-prefix') ?? '',
    requiredClaims: Object.fromEntries(
      settings.list('oidc-required-claim').map((each) => {
        const equals = each.indexOf('=');
        return [each.slice(0, equals), each.slice(equals + 1)];
      }),
    ),
    algorithms: settings.list('oidc-signing-algs'),
  };
  return [createOidc({ options, clock, log, fetchJson: createJsonFetcher({ clock, caPem }) })];
}

const megabyte = 1 << 20;

async function openAudit(ports: UserPorts): Promise<AuditOptions | undefined> {
  const { settings, lifecycle } = ports;
  const path = settings.text('audit-log-path');
  const policy = readPolicy(settings.text('audit-policy-file'));
  if (path === undefined) return undefined;
  const sink = await openAuditFile({
    ...ports,
    path,
    fileBytesMax: (settings.number('audit-log-maxsize') ?? 100) * megabyte,
    backupsMax: settings.number('audit-log-maxbackup') ?? 5,
  });
  lifecycle.onClose({ name: 'audit-log', close: () => sink.close() });
  return { policy, sink };
}

function readPolicy(path: string | undefined): AuditPolicy {
  if (path === undefined) return defaultAuditPolicy;
  const policy = parseAuditPolicy(parseYaml(readFileSync(path, 'utf8')));
  if (typeof policy !== 'string') return policy;
  throw new MeshError('fatal', 'AUDIT_POLICY_INVALID', `${path}: ${policy}`);
}
