// Which form an answer takes. The expectations are kube-apiserver 1.34's: its router (go-restful)
// looks at names alone, its negotiator (goautoneg) orders by quality and by what is named.

import test from 'ava';
import {
  bodyType,
  negotiate,
  negotiateError,
} from '../../coordinator/api/machinery/request/negotiate.ts';
import { ApiError } from '../../coordinator/api/machinery/answer/status-error.ts';

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';

for (const [accept, expected] of [
  [undefined, 'json object'],
  ['', 'json object'],
  ['*/*', 'json object'],
  ['application/json', 'json object'],
  ['application/yaml', 'yaml object'],
  ['application/vnd.kubernetes.protobuf,application/json', 'json object'],
  ['application/vnd.kubernetes.protobuf, */*', 'json object'],
  ['text/html, */*;q=0.1', 'json object'],
  ['application/json;q=0.5, application/yaml;q=0.9', 'yaml object'],
  ['application/json;q=0.9, application/yaml;q=0.5', 'json object'],
  ['application/yaml;q=nonsense, application/json;q=0.1', 'json object'],
  ['application/json;q=0', 'json object'],
  ['*/*, application/yaml;q=0.5', 'yaml object'],
  [`${table},application/json`, 'json Table'],
  ['application/json;as=Table;v=v1alpha1;g=meta.k8s.io,application/json', 'json object'],
  ['application/json;as=Table;v=v1beta1;g=meta.k8s.io', 'json Table'],
  [
    'application/yaml;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
    'yaml PartialObjectMetadataList',
  ],
  ['application/json;stream=watch', 'json object'],
  ['application/json; charset=utf-8', 'json object'],
] as const) {
  test(`[k8s 25] Accept ${accept ?? 'absent'} is answered as ${expected}`, (t) => {
    const form = negotiate(accept);
    t.is(`${form.format} ${form.as}`, expected);
  });
}

const unrouted =
  '406: Not Acceptable\n\nAvailable representations: application/json, application/yaml';
const unnegotiated =
  'only the following media types are accepted: application/json, application/yaml';

for (const [accept, message] of [
  ['text/html', unrouted],
  ['application/*', unrouted],
  ['APPLICATION/JSON', unrouted],
  ['nonsense', unrouted],
  ['application/vnd.kubernetes.protobuf', unnegotiated],
  ['application/json;as=Table', unnegotiated],
  ['application/json;as=Nonsense;v=v1;g=meta.k8s.io', unnegotiated],
  ['application/json;g=meta.k8s.io', unnegotiated],
  ['application/json;stream=other', unnegotiated],
] as const) {
  test(`[k8s 25] Accept ${accept} is 406`, (t) => {
    const refused = t.throws(() => negotiate(accept), { instanceOf: ApiError });
    t.is(refused?.status.code, 406);
    t.is(refused?.status.reason, 'NotAcceptable');
    t.is(refused?.status.message, message);
  });
}

test('[k8s 25] an absent Content-Type is JSON, and parameters of one do not count', (t) => {
  t.is(bodyType(undefined), 'application/json');
  t.is(bodyType(''), 'application/json');
  t.is(bodyType('Application/YAML; charset=utf-8'), 'application/yaml');
});

for (const [accept, expected] of [
  [undefined, 'json'],
  ['application/json', 'json'],
  ['application/yaml', 'yaml'],
  ['application/*', 'json'],
  [`${table},application/json`, 'json'],
  [table, 'indented'],
  ['text/html', 'indented'],
  ['application/vnd.kubernetes.protobuf', 'json'],
] as const) {
  test(`[k8s 25] an error for Accept ${accept ?? 'absent'} is ${expected}`, (t) => {
    t.is(negotiateError(accept), expected);
  });
}
