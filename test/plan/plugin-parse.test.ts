// The command line of kubectl-isthmus: what it means, what is wrong with it, what help says.

import test from 'ava';
import type { Call } from '../../plugin/command.ts';
import { commands } from '../../plugin/commands/all.ts';
import { toInstallation } from '../../plugin/commands/install-lines.ts';
import { toSkew, findProblems } from '../../plugin/commands/problems.ts';
import { describeWait } from '../../plugin/commands/describe-wait.ts';
import { parseFingerprint, toFingerprint } from '../../plugin/commands/clusters.ts';
import { toPortableKubeconfig } from '../../plugin/commands/portable-kubeconfig.ts';
import { claim } from '../../plugin/commands/unclaimed.ts';
import type { Federation } from '../../plugin/federation.ts';
import { toHelp } from '../../plugin/help.ts';
import type { Io } from '../../plugin/io.ts';
import { chooseFrom, readKubeconfig } from '../../plugin/kubeconfig-files.ts';
import { formatAge, parseDuration, toPrintable, toTable } from '../../plugin/output.ts';
import { parseArguments } from '../../plugin/parse.ts';

const meant: readonly (readonly [readonly string[], object])[] = [
  [['status'], { words: ['status'], args: [] }],
  [['join', 'one'], { words: ['join'], args: ['one'] }],
  [['--context', 'fed', 'join', 'one'], { words: ['join'], args: ['one'], context: 'fed' }],
  [['tokens', 'list', '-ojson'], { words: ['tokens', 'list'], args: [], output: 'json' }],
  [['tokens', '-o=yaml', 'list'], { words: ['tokens', 'list'], args: [], output: 'yaml' }],
  [['join', '--wait', 'one'], { words: ['join'], args: ['one'], wait: 'true' }],
  [['join', '--wait=false', 'one'], { words: ['join'], args: ['one'], wait: 'false' }],
  [['unjoin', 'one', '--timeout=5m'], { words: ['unjoin'], args: ['one'], timeout: '5m' }],
  [['explain', 'service', '--', 'x'], { words: ['explain'], args: ['service', 'x'] }],
  [['dns', 'plan'], { words: ['dns', 'plan'], args: [] }],
  [['dns', 'plan', 'public'], { words: ['dns', 'plan'], args: ['public'] }],
];

for (const [argv, wanted] of meant) {
  test(`kubectl isthmus ${argv.join(' ')} is understood`, (t) => {
    const parsed = parseArguments(commands, argv);
    if (parsed.kind !== 'run') return t.fail(JSON.stringify(parsed));
    const names = Object.keys(wanted).filter((name) => name !== 'words' && name !== 'args');
    const flags = Object.fromEntries(names.map((name) => [name, parsed.flags.text(name)]));
    t.deepEqual({ words: parsed.command.words, args: parsed.args, ...flags }, wanted);
  });
}

const wrong: readonly (readonly [readonly string[], RegExp])[] = [
  [['joni', 'one'], /unknown command "joni"; did you mean join\?/],
  [['tokens'], /tokens needs one of: list, revoke/],
  [['tokens', 'lst'], /tokens needs one of: list, revoke/],
  [['dns', 'plan', 'a', 'b'], /unexpected argument "b"/],
  [['join'], /CLUSTER is missing\nSee 'kubectl isthmus join --help'/],
  [['join', 'one', 'two'], /unexpected argument "two"/],
  [['join', 'one', '--expire', '1h'], /unknown flag --expire; did you mean --expires\?/],
  [['join', 'one', '--expires'], /--expires needs a value: DURATION/],
  [['join', 'one', '--wait=yes'], /--wait: "yes" is not true or false/],
  [['join', 'one', '--approval', 'manual'], /"manual" is none of Automatic, Manual/],
  [['join', 'one', '--zone', 'a', '--zone', 'b'], /--zone is given twice/],
  [['status', '-o', 'wide'], /--output: "wide" is none of json, yaml/],
  [['explain', 'pod', 'x'], /service: "pod" is none of service/],
  [['-x'], /no command is given/],
];

for (const [argv, message] of wrong) {
  test(`kubectl isthmus ${argv.join(' ')} is refused with the way out`, (t) => {
    const parsed = parseArguments(commands, argv);
    t.is(parsed.kind, 'error');
    t.regex(parsed.kind === 'error' ? parsed.message : '', message);
  });
}

test('every command has help with an example that is understood', (t) => {
  for (const command of commands) {
    const asked = parseArguments(commands, [...command.words, '--help']);
    t.is(asked.kind, 'help');
    const text = toHelp(commands, command, command.words);
    t.regex(text, /Usage: kubectl isthmus/);
    t.true(command.examples.length > 0, command.words.join(' '));
    const lines = command.examples.map(({ line }) => line);
    for (const line of lines.filter((each) => each.startsWith('kubectl isthmus'))) {
      const [own = ''] = line.split(/[|>]| \| /);
      const words = [...own.matchAll(/'([^']*)'|(\S+)/g)].map(
        ([, quoted, plain]) => quoted ?? plain ?? '',
      );
      const parsed = parseArguments(commands, words.slice(2));
      t.is(parsed.kind, 'run', `${line}: ${JSON.stringify(parsed)}`);
    }
    t.true(
      text.split('\n').every((each) => each.length <= 104),
      text,
    );
  }
  t.is(parseArguments(commands, []).kind, 'help');
  t.is(parseArguments(commands, ['tokens', '--help']).kind, 'help');
});

function ioOf(
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Io {
  return {
    out: () => undefined,
    say: () => undefined,
    progress: () => undefined,
    readFile: (path) => files[path],
    env,
    home: '/home/ana',
    isInteractive: false,
  };
}

const file = (name: string, more: object = {}): string =>
  JSON.stringify({
    'current-context': name,
    clusters: [
      { name: 'c', cluster: { server: `https://${name}`, 'certificate-authority': 'ca.crt' } },
    ],
    users: [{ name: 'u', user: { 'client-certificate': 'u.crt', exec: { command: './login' } } }],
    contexts: [{ name, context: { cluster: 'c', user: 'u' } }],
    ...more,
  });

test('KUBECONFIG: the first file to name a thing wins, and paths count from their own file', (t) => {
  const files = { '/a/one': file('one'), '/b/two': file('two') };
  const read = readKubeconfig(ioOf(files, { KUBECONFIG: '/none:/a/one:/b/two' }), undefined);
  const choice = chooseFrom(read, 'two');
  t.is(choice.cluster.server, 'https://one');
  t.is(choice.cluster['certificate-authority'], '/a/ca.crt');
  t.is(choice.user['client-certificate'], '/a/u.crt');
  t.is(choice.user.exec?.command, '/a/login');
  t.is(chooseFrom(read, undefined).contextName, 'one');
  t.throws(() => chooseFrom(read, 'three'), { message: /no context "three".*one, two/ });
});

test('without KUBECONFIG the one of the home folder counts; without any, the error says so', (t) => {
  const home = readKubeconfig(ioOf({ '/home/ana/.kube/config': file('home') }), undefined);
  t.is(chooseFrom(home, undefined).contextName, 'home');
  t.throws(() => readKubeconfig(ioOf({}), undefined), {
    message: /no kubeconfig \(\/home\/ana\/\.kube\/config\).*--kubeconfig or KUBECONFIG/,
  });
  t.throws(() => readKubeconfig(ioOf({}), '/x'), { message: /there is no file \/x/ });
  t.throws(() => readKubeconfig(ioOf({ '/x': 'a: [' }), '/x'), { message: /not YAML \(line 1/ });
});

test('a kubeconfig that leaves this machine needs none of its files', (t) => {
  const read = readKubeconfig(ioOf({ '/a/one': file('one') }), '/a/one');
  const { kubeconfig, warnings } = toPortableKubeconfig(
    { ...chooseFrom(read, undefined), user: { tokenFile: '/a/token', 'client-key': '/a/key' } },
    '/a/one',
    (path) => `content of ${path}\n`,
  );
  t.regex(kubeconfig, /token: content of \/a\/token\n/);
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  t.true(kubeconfig.includes(`client-key-data: ${base64('content of /a/key\n')}`));
  t.true(kubeconfig.includes(`certificate-authority-data: ${base64('content of /a/ca.crt\n')}`));
  t.notRegex(kubeconfig, /tokenFile|\/a\/ca\.crt/);
  t.regex(warnings.join(), /tokenFile is read once/);
});

const installation = {
  cluster: 'one',
  coordinator: 'isthmus.example.com:7443',
  token: 'isthmus.v1.one-x.secret.abc',
  secret: undefined,
  chart: './charts/agent',
  namespace: 'isthmus-system',
  place: {},
};

test('joining is one line of helm, and with a Secret no value holds the token', (t) => {
  t.is(
    toInstallation(installation).command,
    'helm install isthmus-agent ./charts/agent --namespace isthmus-system --create-namespace ' +
      '--set cluster.name=one --set coordinator.address=isthmus.example.com:7443 ' +
      '--set join.token=isthmus.v1.one-x.secret.abc\n',
  );
  const kept = toInstallation({ ...installation, secret: 'joining', place: { zone: 'a,b {c}' } });
  t.notRegex(kept.values, /secret\.abc/);
  t.regex(kept.values, /existingSecret:\n {4}name: joining/);
  t.regex(
    kept.command,
    /^kubectl create namespace .* && kubectl .*--from-literal=token=isthmus.* && helm install/,
  );
  t.regex(kept.command, /--set 'cluster\.zone=a\\,b \\{c\\}'/);
  t.is(kept.command.split('\n').length, 2);
});

test('durations, ages, tables and fingerprints', (t) => {
  t.deepEqual(['90s', '1h30m', '7d', '5', 'x', ''].map(parseDuration), [
    90,
    5400,
    604_800,
    undefined,
    undefined,
    undefined,
  ]);
  t.deepEqual([5_000, 300_000, 86_400_000, 864_000_000].map(formatAge), ['5s', '5m', '24h', '10d']);
  t.is(
    toTable(
      ['A', 'BB'],
      [
        ['long', ''],
        ['x', 'y'],
      ],
    ),
    'A      BB\nlong\nx      y\n',
  );
  t.is(toFingerprint('ab12cd34ef567890ffff'), 'ab12:cd34:ef56:7890');
  t.is(parseFingerprint('AB12:cd34:ef56:7890'), 'ab12cd34ef567890');
  t.is(parseFingerprint('ab12'), undefined);
});

test('what others say cannot steer the terminal, nor begin a line of a table', (t) => {
  t.is(
    toPrintable('a\u001b[2J\r\u009bK\u202eb\u0000\u007f'),
    'a\\u001b[2J\\u000d\\u009bK\\u202eb\\u0000\\u007f',
  );
  t.is(toPrintable('Köln\tüber\n- ✓\n'), 'Köln\tüber\n- ✓\n');
  t.deepEqual(JSON.parse(toPrintable(JSON.stringify({ a: '\u009b\u202e' }))), {
    a: '\u009b\u202e',
  });
  t.is(toTable(['A', 'B'], [['x\nready', 'y']]), 'A         B\nx ready   y\n');
});

test('skew is told by the first part that differs', (t) => {
  t.deepEqual(
    [
      ['0.1.0', '0.1.0'],
      ['0.1.0', '0.3.0'],
      ['1.0.0', '0.9.9'],
      ['0.1.2', '0.1.1'],
      ['', '0.1.0'],
    ].map(([agent = '', own = '']) => toSkew(agent, own)),
    ['none', '2 minor older', '1 major newer', '1 patch newer', '-'],
  );
});

const object = (name: string, status: object, kind = 'Cluster') => ({
  apiVersion: 'isthmus.dev/v1alpha1',
  kind,
  metadata: { name, namespace: 'shop' },
  spec: { service: 'web', cluster: 'one' },
  status,
});
const condition = (type: string, status: string, message: string) => ({
  type,
  status,
  reason: 'R',
  message,
});

test('problems name the cluster, what is wrong and the next step', (t) => {
  const clusters = [
    object('good', { agentVersion: '0.1.0', conditions: [condition('Ready', 'True', '')] }),
    object('waits', { approval: { decision: 'Pending', publicKeyHash: 'ab12cd34ef567890ff' } }),
    object('silent', {
      agentVersion: '0.1.0',
      conditions: [
        condition('Ready', 'Unknown', 'not heard'),
        condition('Leaving', 'True', 'goes'),
      ],
    }),
  ];
  const shards = [
    object(
      'web.one',
      { applied: false, reason: 'QuotaExceeded', message: 'quota' },
      'ServiceShard',
    ),
    object('old.one', { applied: false, reason: 'Unclaimed', message: 'm' }, 'ServiceShard'),
  ];
  const zones = [
    object('good', {
      conditions: [condition('Ready', 'True', ''), condition('Fenced', 'False', '')],
    }),
    object('public', {
      conditions: [
        condition('Ready', 'False', 'no route to host.'),
        condition('PlanHeld', 'False', ''),
        condition('Delegated', 'Unknown', 'nobody looked'),
      ],
    }),
  ];
  const found = findProblems({ clusters, shards, services: [], zones, version: '0.1.0' });
  t.deepEqual(
    found.map(({ text }) => text),
    [
      'waits: its agent waits for approval: kubectl isthmus approve waits --fingerprint ab12:cd34:ef56:7890',
      'silent: Ready: not heard',
      'silent: Leaving: goes',
      'DNSZone public: R: no route to host.',
      'shop/web in one: quota',
      '1 unclaimed shard waits for a decision: kubectl isthmus unclaimed',
    ],
  );
});

test('waiting says what for', (t) => {
  const at = { name: 'one', token: 'one-x', refusal: '' };
  t.regex(describeWait({ ...at, object: undefined }), /join with token one-x: run the line above/);
  t.regex(describeWait({ ...at, object: undefined, refusal: 'expired' }), /refused: expired/);
  const approve = object('one', { conditions: [condition('Approved', 'False', 'approve me')] });
  t.is(describeWait({ ...at, object: approve }), 'one: approve me');
  const hosted = object('one', {
    conditions: [condition('HostedAgent', 'False', 'no way'), condition('Ready', 'Unknown', 'x')],
  });
  t.is(describeWait({ ...at, object: hosted }), 'one: no way');
});

test('claim widens the placement that names clusters, and says what to do where it cannot', async (t) => {
  const policy = (placement: object) => ({
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name: 'p' },
    spec: { serviceName: 'web', placement },
  });
  const run = async (placement: object) => {
    const patches: unknown[] = [];
    const federation = {
      namespace: 'shop',
      get: () => Promise.resolve(object('web.one', { reason: 'Unclaimed' }, 'ServiceShard')),
      list: () => Promise.resolve([policy(placement)]),
      mergePatch: (path: string, body: object) => {
        patches.push([path, body]);
        return Promise.resolve(policy(placement));
      },
    };
    const call: Call = {
      args: ['web.one'],
      flags: { text: () => undefined, isOn: () => false },
      io: ioOf({}),
      federation: () => federation as unknown as Federation, // as far as claim asks it
      version: '0.1.0',
    };
    const code = await claim.run(call).catch((error: unknown) => String(error));
    return { code, patches };
  };
  t.deepEqual(await run({ clusters: ['two'] }), {
    code: 0,
    patches: [
      [
        '/apis/isthmus.dev/v1alpha1/namespaces/shop/servicepolicies/p',
        { spec: { placement: { clusters: ['two', 'one'] } } },
      ],
    ],
  });
  const bySelector = await run({ clusterSelector: {} });
  t.regex(String(bySelector.code), /its ServicePolicy p chooses by labels: change the labels/);
  t.deepEqual(bySelector.patches, []);
});
