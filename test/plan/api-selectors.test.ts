import test from 'ava';
import {
  nameOfFieldSelector,
  parseFieldSelector,
  parseLabelSelector,
} from '../../coordinator/api/machinery/request/selectors.ts';
import { kindNamed, refusal, service, serviceKind } from '../support/api-service.ts';

const labels = { app: 'web', 'x.io/tier': 'front', n: '5', empty: '' };

for (const [selector, expected] of [
  ['', true],
  ['app=web', true],
  ['app==web', true],
  ['app!=web', false],
  ['other!=web', true],
  ['app in (web, db)', true],
  ['app in ()', false],
  ['empty in (,a)', true],
  ['empty in (a,)', true],
  ['app notin (web,db)', false],
  ['other notin (a)', true],
  ['in in (in)', false],
  ['x.io/tier', true],
  ['!x.io/tier', false],
  ['!other', true],
  ['empty=', true],
  ['n>4,n<6', true],
  ['n>5', false],
  ['app = web , n', true],
  ['constructor', false],
  ['toString!=x', true],
] as const) {
  test(`[k8s 53] label selector '${selector}' is ${expected}`, (t) => {
    t.is(parseLabelSelector(selector)(labels), expected);
  });
}

for (const [selector, message] of [
  ['=', "found '=', expected: !, identifier, or 'end of string'"],
  ['a=b=c', "found '=', expected: ',' or 'end of string'"],
  ['a in', "unable to parse requirement: found '' expected: '('"],
  ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
  ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  [',', "found ',', expected: !, identifier, or 'end of string'"],
  ['a,', "found '', expected: identifier after ','"],
  ['a==!b', "unable to parse requirement: found '!', expected: identifier"],
  ['a in (=)', "unable to parse requirement: found '=', expected: ',', ')' or identifier"],
  [
    'a>b',
    `unable to parse requirement: values[0]: Invalid value: "b": for 'Gt', 'Lt' operators, the value must be an integer`,
  ],
  ['a=b c', "found 'c', expected: ',' or 'end of string'"],
] as const) {
  test(`[k8s 53] L1. label selector '${selector}' is refused in Go's words`, (t) => {
    const status = refusal(() => parseLabelSelector(selector));
    t.is(status.code, 400);
    t.is(status.reason, 'BadRequest');
    t.is(status.message, message);
  });
}

test('[k8s 53] L1. keys and values that are no label are refused with their rule', (t) => {
  const key = refusal(() => parseLabelSelector('-a')).message;
  t.true(key.startsWith('unable to parse requirement: <nil>: Invalid value: "-a": name part must'));
  const value = refusal(() => parseLabelSelector('a=-b')).message;
  t.true(value.startsWith('unable to parse requirement: values[0][a]: Invalid value: "-b": '));
});

test('[k8s 54] field selectors compare, split at commas and unescape', (t) => {
  const object = service({ ports: [{ port: 80 }], type: 'NodePort' });
  const matches = (text: string): boolean => parseFieldSelector(text, serviceKind)(object);
  t.true(matches('spec.type=NodePort,metadata.name==nginx'));
  t.false(matches('spec.type!=NodePort'));
  t.true(matches('metadata.namespace=default,'));
  t.false(matches('metadata.name=a\\,b'));
  t.is(nameOfFieldSelector('spec.type=x,metadata.name=nginx'), 'nginx');
  t.is(nameOfFieldSelector('metadata.name!=nginx'), undefined);
});

for (const [selector, kind, message] of [
  ['spec.foo=1', 'Service', 'field label not supported: spec.foo'],
  ['spec.type=x', 'Namespace', 'field label not supported: spec.type'],
  ['spec.type=x', 'ServicePolicy', 'field label not supported: spec.type'],
  [
    'spec.type=x',
    'ConfigMap',
    '"spec.type" is not a known field selector: only "metadata.name", "metadata.namespace"',
  ],
  ['foo', 'Service', "invalid selector: 'foo'; can't understand 'foo'"],
  ['a=b,foo', 'Service', "invalid selector: 'a=b,foo'; can't understand 'foo'"],
  ['metadata.name=a=b', 'Service', 'invalid field selector: unescaped character in value: 61'],
  ['metadata.name=a\\b', 'Service', 'invalid field selector: invalid escape sequence: \\b'],
] as const) {
  test(`[k8s 54] field selector '${selector}' of a ${kind} is refused in Go's words`, (t) => {
    const status = refusal(() => parseFieldSelector(selector, kindNamed(kind)));
    t.is(status.code, 400);
    t.is(status.message, message);
  });
}

for (const [kind, fields] of [
  ['Service', ['spec.clusterIP', 'spec.type']],
  ['Namespace', ['status.phase']],
  ['Secret', ['type']],
  [
    'Event',
    [
      ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
        (name) => `involvedObject.${name}`,
      ),
      'reason',
      'reportingComponent',
      'source',
      'type',
    ],
  ],
] as const) {
  test(`[k8s 54] a ${kind} is selected by the fields that Kubernetes names`, (t) => {
    for (const field of fields) {
      t.notThrows(() => parseFieldSelector(`${field}=x,metadata.name!=y`, kindNamed(kind)), field);
    }
  });
}
