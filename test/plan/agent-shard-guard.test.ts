// I13: what the local guard of a member cluster lets through, one table row each.

import test from 'ava';
import { toServiceKey } from '../../common/model/ids.ts';
import { confirmRemovalMark, removalOrderMark } from '../../common/pure/shard-marks.ts';
import { auditShard } from '../../agent/shard/audit.ts';
import { matchesPattern } from '../../agent/shard/plan-guard.ts';
import { planShard } from '../../agent/shard/plan.ts';
import {
  order,
  shard,
  situation,
  summarize,
  wish,
  withMarks,
  type Row,
} from '../support/shard-situation.ts';

const rows: readonly Row[] = [
  [
    'I13: a removal that must wait is marked on the Service first',
    { order: order('delete'), observed: shard, removalsLeft: 0 },
    'markOrder',
  ],
  [
    'I13: too many removals wait',
    {
      order: order('delete'),
      observed: withMarks({ [removalOrderMark]: 'delete 7' }),
      removalsLeft: 0,
    },
    'refuse failed RemovalNotConfirmed',
  ],
  [
    'I13: a removal that the cluster’s people confirmed need not wait',
    {
      order: order('delete'),
      observed: withMarks({ [removalOrderMark]: 'delete 7', [confirmRemovalMark]: 'true' }),
      removalsLeft: 0,
    },
    'delete',
  ],
  [
    'I13: a confirmation is given by no other word than true',
    {
      order: order('delete'),
      observed: withMarks({ [removalOrderMark]: 'delete 7', [confirmRemovalMark]: 'yes' }),
      removalsLeft: 0,
    },
    'refuse failed RemovalNotConfirmed',
  ],
  [
    'I13: a confirmation of an order that is void does not outlive it',
    { wish, observed: withMarks({ [confirmRemovalMark]: 'true' }) },
    'repair',
  ],
  [
    'I13: a namespace is allowed by a pattern',
    { wish, guard: { allowedNamespaces: ['other', 's*p'], removalsPerMinute: 1 } },
    'apply created',
  ],
  [
    'I13: kube-* is not allowed by any pattern',
    {
      key: toServiceKey({ namespace: 'kube-system', name: 'nginx' }),
      wish,
      guard: { allowedNamespaces: ['*'], removalsPerMinute: 1 },
    },
    'refuse refused LocalGuard',
  ],
  [
    'I13: namespaces that are not allowed are refused',
    {
      wish,
      guard: { allowedNamespaces: ['other'], removalsPerMinute: 1 },
    },
    'refuse refused LocalGuard',
  ],
  [
    'I13: an order outside the allowed namespaces is refused',
    {
      order: order('delete'),
      observed: shard,
      guard: { allowedNamespaces: ['other'], removalsPerMinute: 1 },
    },
    'refuse refused LocalGuard',
  ],
];

for (const [title, part, expected] of rows) {
  test(title, (t) => {
    const given = situation(part);
    const action = planShard(given);
    t.is(summarize(action), expected);
    t.is(auditShard(action, given), undefined);
  });
}

for (const guarded of [
  toServiceKey({ namespace: 'kube-system', name: 'dns' }),
  toServiceKey({ namespace: 'kube-public', name: 'x' }),
  toServiceKey({ namespace: 'default', name: 'kubernetes' }),
]) {
  test(`I13: ${guarded} is never touched`, (t) => {
    t.is(summarize(planShard(situation({ key: guarded, wish }))), 'refuse refused LocalGuard');
    t.is(
      summarize(planShard(situation({ key: guarded, order: order('delete') }))),
      'refuse refused LocalGuard',
    );
  });
}

for (const [text, pattern, isMatch] of [
  ['shop', 'shop', true],
  ['shop', 'sho', false],
  ['shop', '*', true],
  ['shop', 'shop*', true],
  ['team-a-web', 'team-*', true],
  ['team', 'team-*', false],
  ['team-a-web', 'team-*-web', true],
  ['team-web', 'team-*-web', false],
  ['aXbXc', 'a*b*c', true],
  ['ab', 'a*b*b', false],
  ['abab', '*ab*ab', true],
  ['ab', '*ab*ab', false],
  ['', '*', true],
  ['shop', '', false],
] as const) {
  test(`${text || 'nothing'} is ${isMatch ? '' : 'not '}matched by ${pattern || 'nothing'}`, (t) => {
    t.is(matchesPattern(text, pattern), isMatch);
  });
}

test('I13: the audit doubts a removal beyond the budget, and a confirmation of our own', (t) => {
  const given = situation({ order: order('delete'), observed: shard });
  const action = planShard(given);
  t.is(action.kind, 'delete');
  t.is(auditShard(action, given), undefined);
  t.regex(auditShard(action, { ...given, removalsLeft: 0 }) ?? '', /^I13/);
  const forged = [
    { op: 'replace', path: '/metadata/resourceVersion', value: '10' },
    { op: 'add', path: '/metadata/annotations/isthmus.dev~1confirm-removal', value: 'true' },
  ];
  t.regex(auditShard({ kind: 'markOrder', patch: forged }, given) ?? '', /^I13/);
});

test('I13: the audit refuses Kubernetes’ own by itself', (t) => {
  const fine = situation({ wish });
  const action = planShard(fine);
  for (const name of ['kube-system/nginx', 'default/kubernetes', '/nginx']) {
    const [namespace = '', service = ''] = name.split('/');
    const at = { ...fine, key: toServiceKey({ namespace, name: service }) };
    t.regex(auditShard(action, at) ?? '', /^I13/);
  }
});
