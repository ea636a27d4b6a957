import test from 'ava';
import {
  nameOfFieldSelector,
  parseFieldSelector,
  parseLabelSelector,
} from '../../coordinator/api/machinery/request/selectors.ts';
import { refusal, service, serviceKind } from '../support/api-service.ts';

const labels = { app: 'web', 'x.io/tier': 'front', n: '5', empty: '' };

for (const [selector, expected] of [
  ['', true],
  ['app=web', true],
  ['app==web', true],
  ['app!=web', false],
  ['other!=web', true],
  ['app in (web, db)', true],
  ['app notin (web,db)', false],
  ['other notin (a)', true],
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
  test(`label selector '${selector}' is ${expected}`, (t) => {
    t.is(parseLabelSelector(selector)(labels), expected);
  });
}

for (const selector of [
  '=',
  'a=b=c',
  'a in',
  'a in (b',
  'a b',
  ',',
  'a,',
  'a==!b',
  'a>b',
  '-a',
  'a=b c',
]) {
  test(`L1. label selector '${selector}' is refused`, (t) => {
    const status = refusal(() => parseLabelSelector(selector));
    t.is(status.code, 400);
    t.true(status.message.startsWith('unable to parse requirement: '), status.message);
  });
}

test('field selectors compare, split at commas and unescape', (t) => {
  const object = service({ ports: [{ port: 80 }], type: 'NodePort' });
  const matches = (text: string): boolean => parseFieldSelector(text, serviceKind)(object);
  t.true(matches('spec.type=NodePort,metadata.name==nginx'));
  t.false(matches('spec.type!=NodePort'));
  t.true(matches('metadata.namespace=default'));
  t.false(matches('metadata.name=a\\,b'));
  t.is(refusal(() => matches('spec.foo=1')).message, 'field label not supported: spec.foo');
  t.is(refusal(() => matches('foo')).message, "invalid selector: 'foo'; can't understand 'foo'");
  t.is(nameOfFieldSelector('spec.type=x,metadata.name=nginx'), 'nginx');
});
