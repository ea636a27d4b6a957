// What a request says beside its body: target, query, headers, selectors and tokens of pages; and what
// operators and issuers say: policies of audit, token files, rules of roles, ID tokens.

import fc from 'fast-check';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { parseApiTokens } from '../../coordinator/users/api-tokens.ts';
import { createOidc } from '../../coordinator/api/access/oidc.ts';
import { readClaims, type OidcOptions } from '../../coordinator/api/access/oidc-claims.ts';
import {
  describeRules,
  findMissing,
  matchesRule,
  readRules,
} from '../../coordinator/api/access/rules.ts';
import type { Attributes } from '../../coordinator/api/machinery/access/access.ts';
import {
  chooseAudit,
  parseAuditPolicy,
} from '../../coordinator/api/machinery/access/audit-policy.ts';
import {
  formatContinue,
  parseContinue,
} from '../../coordinator/api/machinery/request/continue-token.ts';
import {
  bodyType,
  negotiate,
  negotiateError,
} from '../../coordinator/api/machinery/request/negotiate.ts';
import {
  parseIncludeObject,
  parseListOptions,
  parseWriteOptions,
} from '../../coordinator/api/machinery/request/options.ts';
import { parseRoute, toKindTable } from '../../coordinator/api/machinery/request/routes.ts';
import {
  parseFieldSelector,
  parseLabelSelector,
} from '../../coordinator/api/machinery/request/selectors.ts';
import { kinds, service, serviceKind } from '../support/api-service.ts';
import { anyJson, hostileKey, jsonOf, textOf } from './inputs.ts';
import { attempt, law, type FuzzTarget } from './target.ts';

const labels = textOf([
  'a',
  'b',
  ' ',
  ',',
  '=',
  '==',
  '!=',
  '!',
  ' in ',
  ' notin ',
  '(',
  ')',
  '>',
  '<',
  '5',
  '/',
  '__proto__',
]);
const fieldTerms = textOf([
  'metadata.name',
  'spec.type',
  '=',
  '==',
  '!=',
  ',',
  '\\',
  '\\,',
  'a',
  '.',
  'constructor',
]);
const accept = textOf([
  'application/json',
  '*/*',
  ',',
  ';',
  'as=Table',
  'v=v1',
  'g=meta.k8s.io',
  'q=',
  '0.5',
  '=',
  ' ',
  '/',
  'application/yaml',
  '"',
]);
const path = textOf([
  '/',
  'api',
  'apis',
  '/v1',
  '/namespaces/',
  'default',
  '/services',
  '/status',
  'isthmus.dev',
  '/v1alpha1',
  '/watch',
  '%2f',
  '%',
  '?',
  '..',
  '//',
  '__proto__',
  'a=b&',
]);
const table = toKindTable(kinds);
const object = service({ ports: [{ port: 80 }] }, { labels: { a: 'b' } });

const query = fc
  .dictionary(
    fc.constantFrom(
      'limit',
      'continue',
      'resourceVersion',
      'resourceVersionMatch',
      'labelSelector',
      'fieldSelector',
      'timeoutSeconds',
      'watch',
      'sendInitialEvents',
      'allowWatchBookmarks',
      'dryRun',
      'fieldManager',
      'fieldValidation',
      'force',
      'includeObject',
    ),
    fc.oneof(
      fc.constantFrom(
        '',
        '0',
        '1',
        '-1',
        'true',
        'All',
        'Exact',
        'NotOlderThan',
        '1e9',
        '99999999999999999999',
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
    ),
  )
  .map((each) => new URLSearchParams(each));

export const requestTarget: FuzzTarget = {
  name: 'request',
  laws: [
    law(
      'label selectors',
      fc.property(labels, fc.dictionary(hostileKey, fc.string({ maxLength: 3 })), (text, of) => {
        attempt(() => parseLabelSelector(text)(of));
      }),
    ),
    law(
      'field selectors',
      fc.property(fieldTerms, (text) => {
        attempt(() => parseFieldSelector(text, serviceKind)(object));
      }),
    ),
    law(
      'tokens of pages are what was made, or refused',
      fc.property(
        fc.oneof(fc.base64String(), fc.string(), jsonOf(['v', 'rv', 'start']).map(toBase64)),
        (text) => {
          const token = attempt(() => parseContinue(text));
          if (token === undefined) return;
          const again = parseContinue(formatContinue(token));
          if (JSON.stringify(again) !== JSON.stringify(token)) throw new Error(text);
        },
      ),
    ),
    law(
      'Accept and Content-Type',
      fc.property(accept, (header) => {
        attempt(() => negotiate(header));
        attempt(() => negotiateError(header));
        attempt(() => bodyType(header));
      }),
    ),
    law(
      'paths',
      fc.property(
        fc.constantFrom('GET', 'PUT', 'x'),
        fc.oneof(path, fc.webPath()),
        (method, target) => {
          attempt(() => parseRoute(method, `/${target}`, table));
          attempt(() => parseRoute(method, target, table));
        },
      ),
    ),
    law(
      'options in the query',
      fc.property(query, fc.boolean(), (params, flag) => {
        attempt(() => parseListOptions(params, flag));
        attempt(() => parseIncludeObject(params));
        attempt(() =>
          parseWriteOptions('PatchOptions', params, { userAgent: 'x/1', isApply: flag }),
        );
      }),
    ),
  ],
};

function toBase64(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

const word = fc.constantFrom(
  'get',
  '*',
  'services',
  'services/status',
  '*/status',
  '',
  'a',
  '/x*',
  '/x',
  '*/*',
  '**',
);
const words = fc.array(word, { maxLength: 3 });
const rule = fc.record({
  verbs: words,
  apiGroups: words,
  resources: words,
  resourceNames: words,
  nonResourceURLs: words,
});
const roles = fc.record({ rules: fc.array(rule, { maxLength: 3 }) });
const asked: fc.Arbitrary<Attributes> = fc.record({
  user: fc.constant({ name: 'ann', groups: ['g'] }),
  verb: fc.constantFrom('get', 'list', '*'),
  isResource: fc.boolean(),
  group: fc.constantFrom('', 'a', '*'),
  version: fc.constant('v1'),
  resource: fc.constantFrom('services', 'a', 'pods'),
  subresource: fc.constantFrom('', 'status'),
  namespace: fc.constantFrom('', 'a'),
  name: fc.constantFrom('', 'a', 'get'),
  path: fc.constantFrom('/x', '/x/y', '/', ''),
});

const policyJson = jsonOf([
  'apiVersion',
  'kind',
  'rules',
  'level',
  'users',
  'verbs',
  'resources',
  'group',
  'omitStages',
  'nonResourceURLs',
]);
const policy = fc.oneof(
  policyJson,
  fc.array(policyJson).map((rules) => ({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules })),
  fc
    .array(
      fc.record(
        {
          level: fc.constantFrom('None', 'Metadata', 'x'),
          users: policyJson,
          resources: policyJson,
        },
        { requiredKeys: [] },
      ),
      { minLength: 1 },
    )
    .map((rules) => ({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules })),
);

const oidc: OidcOptions = {
  issuer: 'https://issuer.example',
  audiences: ['us'],
  usernameClaim: 'sub',
  usernamePrefix: '-',
  groupsClaim: 'groups',
  groupsPrefix: '',
  requiredClaims: { constructor: 'x' },
  algorithms: ['ES256'],
};
const tokens = createOidc({
  options: oidc,
  fetchJson: () => Promise.reject(new Error('no issuer in a fuzz run')),
  clock: systemClock,
  log: silentLog,
});
const jwt = fc.oneof(
  fc.tuple(anyJson, anyJson).map(([head, body]) => `${toBase64(head)}.${toBase64(body)}.AAAA`),
  fc
    .constantFrom('none', 'ES256', 'HS256')
    .map((alg) => `${toBase64({ alg, kid: 'x' })}.${toBase64({ iss: oidc.issuer })}.AAAA`),
  textOf(['.', 'a', 'e30', '=', '..']),
);
const claimValue = fc.oneof(
  anyJson,
  fc.constantFrom('us', 'system:masters', oidc.issuer, 4e9, ['system:masters'], ['us']),
);
const claims = fc.record(
  {
    iss: fc.constantFrom(oidc.issuer, 'x'),
    aud: claimValue,
    exp: fc.oneof(fc.constant(4e9), claimValue),
    sub: claimValue,
    groups: claimValue,
    constructor: fc.constantFrom('x', 'y'),
  },
  { requiredKeys: ['iss'] },
);
const secret = 'verysecrettoken';
const csv = textOf([
  secret,
  ',',
  '"',
  '""',
  '\n',
  '\r\n',
  '#',
  `sha256:${'ab'.repeat(32)}`,
  'ann',
  'g1,g2',
  ' ',
  '\u0000',
]);

export const accessTarget: FuzzTarget = {
  name: 'access',
  laws: [
    law(
      'roles cover only what they grant',
      fc.property(roles, roles, asked, (owned, wanted, at) => {
        const [mine, others] = [readRules(owned), readRules(wanted)];
        const missing = attempt(() => findMissing(mine, others)) ?? [];
        attempt(() => describeRules(missing));
        const isAsked = others.some((each) => matchesRule(each, at));
        const isHeld = mine.some((each) => matchesRule(each, at));
        if (missing.length === 0 && isAsked && !isHeld)
          throw new Error('a right came from nowhere');
      }),
    ),
    law(
      'rules of any shape are read',
      fc.property(jsonOf(['rules', 'verbs', 'resources', 'apiGroups']), asked, (json, at) => {
        attempt(() => readRules({ rules: json }).some((each) => matchesRule(each, at)));
      }),
    ),
    law(
      'an audit policy is read, or what is wrong is said',
      fc.property(policy, asked, (json, at) => {
        const read = attempt(() => parseAuditPolicy(json)) ?? '';
        if (typeof read !== 'string') attempt(() => chooseAudit(read, at));
        else if (read === '') throw new Error('no reason');
      }),
    ),
    law(
      'a token file is read, or refused without what it says',
      fc.property(csv, (text) => {
        const read = attempt(() => parseApiTokens(text));
        if (typeof read === 'string' && read.includes(secret)) throw new Error(read);
      }),
    ),
    law(
      'claims never make one of the server itself',
      fc.property(claims, (of) => {
        const verdict = attempt(() => readClaims(of, oidc, systemClock.now()));
        if (verdict === undefined || 'refused' in verdict) return;
        const { name, groups } = verdict.user;
        if ([name, ...groups].some((each) => each.startsWith('system:'))) throw new Error(name);
      }),
    ),
    law(
      'a token that nobody signed is nobody',
      fc.asyncProperty(jwt, async (token) => {
        const found = await attempt(() => tokens.find(token));
        if (found !== undefined) throw new Error(found.name);
      }),
    ),
  ],
};
