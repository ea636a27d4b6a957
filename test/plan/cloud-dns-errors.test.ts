import test from 'ava';
import {
  fence,
  toOutcomes,
  toReadError,
  type ChangeLayout,
} from '../../coordinator/dns/provider/cloud-dns-errors.ts';

const place = { project: 'p', managedZone: 'z' };

const claimed = (
  owner: string | typeof fence,
  name: string,
): ChangeLayout['additions'][number] => ({
  owner,
  name: `${name}.`,
  type: 'A',
});
const layout: ChangeLayout = {
  additions: [claimed(fence, 'f.test'), claimed('one', 'a.test'), claimed('two', 'b.test')],
  deletions: [claimed(fence, 'f.test'), claimed('two', 'b.test')],
  groups: ['one', 'two'],
};
const single: ChangeLayout = {
  additions: [claimed('one', 'a.test')],
  deletions: [],
  groups: ['one'],
};

const body = (...errors: readonly (readonly [string, string])[]): object => ({
  error: {
    message: errors[0]?.[1],
    errors: errors.map(([reason, message]) => ({ domain: 'global', reason, message })),
  },
});

const cases: readonly (readonly [string, number, object | string, readonly string[]])[] = [
  [
    'what is there already is a conflict of its group',
    409,
    body([
      'alreadyExists',
      "The resource 'entity.change.additions[1]' named 'a.test. (A)' already exists",
    ]),
    ['one=conflict', 'two=notTried'],
  ],
  [
    'a deletion of another value is a conflict of its group',
    412,
    body(['conditionNotMet', "Precondition not met for 'entity.change.deletions[1]'"]),
    ['one=notTried', 'two=conflict'],
  ],
  [
    'a deletion of what is gone is no missing zone',
    404,
    body([
      'notFound',
      "The 'entity.change.deletions[1]' resource named 'b.test. (A)' does not exist.",
    ]),
    ['one=notTried', 'two=conflict'],
  ],
  [
    'several faults at once each find their group',
    400,
    body(
      ['invalid', "Invalid value for 'entity.change.additions[1].name': 'a_.test.'"],
      [
        'alreadyExists',
        "The resource 'entity.change.additions[2]' named 'b.test. (A)' already exists",
      ],
    ),
    ['one=rejected', 'two=conflict'],
  ],
  [
    'a CNAME conflict names its place by name and type',
    400,
    body([
      'cnameResourceRecordSetConflict',
      "The resource record set 'entity.change.additions[B.test.][A]' is invalid because the DNS name",
    ]),
    ['one=notTried', 'two=conflict'],
  ],
  [
    "I12 a fence that has moved is everybody's, whatever else is wrong",
    412,
    body(
      ['conditionNotMet', "Precondition not met for 'entity.change.deletions[0]'"],
      [
        'alreadyExists',
        "The resource 'entity.change.additions[1]' named 'a.test. (A)' already exists",
      ],
    ),
    ['one=fenced', 'two=fenced'],
  ],
  [
    'a fence that can never be is a wrong zone',
    400,
    body(['invalid', "Invalid value for 'entity.change.additions[0].name': 'f.test.'"]),
    ['one=denied', 'two=denied'],
  ],
  [
    "a quota that names nobody is nobody's fault",
    403,
    body(['quotaExceeded', 'quota']),
    ['one=notTried', 'two=notTried'],
  ],
  [
    "a body that is too large is nobody's fault",
    413,
    'too large',
    ['one=notTried', 'two=notTried'],
  ],
  [
    'a rate is told as such',
    403,
    body(['rateLimitExceeded', 'Rate']),
    ['one=throttled', 'two=throttled'],
  ],
  [
    "a user's rate too",
    403,
    body(['userRateLimitExceeded', 'Rate']),
    ['one=throttled', 'two=throttled'],
  ],
  ['429 is throttled', 429, 'slow down', ['one=throttled', 'two=throttled']],
  [
    '403 for another reason is denied',
    403,
    body(['forbidden', 'Forbidden']),
    ['one=denied', 'two=denied'],
  ],
  ['401 is denied', 401, body(['authError', 'Invalid Credentials']), ['one=denied', 'two=denied']],
  [
    'a zone that is not there is denied',
    404,
    body(['notFound', "The 'parameters.managedZone' resource named 'z' does not exist."]),
    ['one=denied', 'two=denied'],
  ],
  [
    '5xx may have been done',
    503,
    body(['backendError', 'Backend Error']),
    ['one=unknown', 'two=unknown'],
  ],
  ['an answer of somebody else may have been done', 200, '<html>', ['one=unknown', 'two=unknown']],
];

for (const [title, status, answered, expected] of cases) {
  test(title, (t) => {
    const outcomes = toOutcomes({ status, body: answered }, layout, place);
    t.deepEqual(
      [...outcomes].map(([id, { kind }]) => `${id}=${kind}`),
      expected,
    );
  });
}

test('a group alone is rejected with the message that names nobody', (t) => {
  const outcomes = toOutcomes(
    { status: 403, body: body(['quotaExceeded', 'no more'] as const) },
    single,
    place,
  );
  t.deepEqual(outcomes.get('one'), { kind: 'rejected', message: 'no more' });
});

test('the wait that the answer names is passed on', (t) => {
  const answer = { status: 429, body: '', retryAfterMs: 2000 };
  const outcome = toOutcomes(answer, single, place).get('one');
  t.is(outcome?.kind === 'throttled' ? outcome.retryAfterMs : undefined, 2000);
});

const denials: readonly (readonly [number, object, string, RegExp])[] = [
  [
    404,
    body(['notFound', "The 'parameters.managedZone' resource"]),
    'DNS_NO_ZONE',
    /managed-zones list --project=p/,
  ],
  [403, body(['accessNotConfigured', 'API off']), 'DNS_DENIED', /gcloud services enable dns/],
  [403, body(['inactiveBillingState', 'no billing']), 'DNS_DENIED', /billing/],
  [403, body(['forbidden', 'Forbidden']), 'DNS_DENIED', /roles\/dns\.admin/],
  [401, body(['authError', 'Invalid Credentials']), 'DNS_DENIED', /credentials\.json/],
  [429, body(['rateLimitExceeded', 'Rate']), 'DNS_THROTTLED', /project p/],
  [500, body(['backendError', 'Backend']), 'DNS_UNAVAILABLE', /500/],
];

for (const [status, answered, code, wayOut] of denials) {
  test(`a reading call that is answered ${status} ${JSON.stringify(answered).slice(10, 40)} is ${code}`, (t) => {
    const error = toReadError({ status, body: answered }, place);
    t.is(error.code, code);
    t.regex(error.message, wayOut);
  });
}

test('an answer of pages is cut in the message', (t) => {
  const error = toReadError({ status: 502, body: 'x'.repeat(10_000) }, place);
  t.true(error.message.length < 800);
});
