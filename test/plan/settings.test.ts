import { execFileSync } from 'node:child_process';
import test from 'ava';
import { parseListenAddress, readSettings, type Program } from '../../common/runtime/settings.ts';
import { toCompletion } from '../../common/runtime/completion.ts';

const program: Program = {
  name: 'isthmus-test',
  summary: 'tests.',
  version: '1.2.3',
  settings: [
    { name: 'data-dir', kind: 'text', default: './data', description: 'Folder.' },
    { name: 'listen', kind: 'address', default: '127.0.0.1:1', description: 'Where.' },
    { name: 'ttl', kind: 'number', min: 1, max: 10, default: '5', description: 'How long.' },
    { name: 'quiet', kind: 'switch', default: 'false', description: 'Hush.' },
    { name: 'names', kind: 'list', description: 'Some.' },
    {
      name: 'level',
      kind: 'choice',
      choices: ['low', 'high'],
      default: 'low',
      description: 'Which.',
    },
    { name: 'config', kind: 'text', description: 'File.' },
  ],
};

function read(argv: readonly string[], env: Record<string, string> = {}, file = '') {
  return readSettings(program, { argv, env, readFile: () => file });
}

test('flags win over the environment, the environment over the file, the file over defaults', (t) => {
  const file = 'data-dir: from-file\nttl: 2\nnames: [a, b]\n';
  const outcome = read(['--config', 'x.yaml', '--data-dir=from-flag'], { ISTHMUS_TTL: '3' }, file);
  if (outcome.kind !== 'run') return t.fail(JSON.stringify(outcome));
  t.is(outcome.values.text('data-dir'), 'from-flag');
  t.is(outcome.values.number('ttl'), 3);
  t.deepEqual(outcome.values.list('names'), ['a', 'b']);
  t.deepEqual(outcome.values.address('listen'), { host: '127.0.0.1', port: 1 });
  t.false(outcome.values.isOn('quiet'));
});

test('a list may be given in parts', (t) => {
  const outcome = read(['--names', 'a', '--names=b,c']);
  t.deepEqual(outcome.kind === 'run' && outcome.values.list('names'), ['a', 'b', 'c']);
});

const mistakes: readonly (readonly [
  string,
  readonly string[],
  Record<string, string>,
  string,
  RegExp,
])[] = [
  ['an unknown flag', ['--data-dri=x'], {}, '', /unknown setting --data-dri/],
  ['a slip of one letter', ['--lisen=:1'], {}, '', /did you mean listen\?/],
  [
    'an unknown variable',
    [],
    { ISTHMUS_LEVVEL: 'low' },
    '',
    /unknown setting ISTHMUS_LEVVEL; did you mean level/,
  ],
  ['an unknown key of the file', ['--config=x'], {}, 'colour: red', /unknown setting x: colour/],
  ['a file that is no mapping', ['--config=x'], {}, '- a', /expected a mapping/],
  ['a flag without its value', ['--ttl'], {}, '', /--ttl needs a value/],
  ['a flag given twice', ['--ttl=1', '--ttl=2'], {}, '', /--ttl is given twice/],
  ['a number out of range', ['--ttl=11'], {}, '', /--ttl: "11" is not a number from 1 to 10/],
  [
    'an address without a port',
    [],
    { ISTHMUS_LISTEN: 'localhost' },
    '',
    /ISTHMUS_LISTEN: "localhost" is not host:port/,
  ],
  ['a choice that is none', ['--level=mid'], {}, '', /is not one of low, high/],
  ['a switch that is neither', ['--quiet=maybe'], {}, '', /is not true or false/],
  ['an argument', ['start'], {}, '', /unexpected argument "start"/],
  ['a shell that is none', ['--completion', 'csh'], {}, '', /--completion needs bash, zsh, fish/],
];
for (const [what, argv, env, file, expected] of mistakes) {
  test(`${what} is an error that names it`, (t) => {
    const outcome = read(argv, env, file);
    t.is(outcome.kind, 'error');
    t.regex(outcome.kind === 'error' ? outcome.message : '', expected);
  });
}

test('help names every setting with its default', (t) => {
  const outcome = read(['--help']);
  const text = outcome.kind === 'print' ? outcome.text : '';
  for (const { name } of program.settings) t.true(text.includes(`--${name}`), name);
  t.true(text.includes('Default ./data.'));
});

test('addresses are host:port, IPv6 in brackets', (t) => {
  t.deepEqual(parseListenAddress('[::1]:53'), { host: '::1', port: 53 });
  t.deepEqual(parseListenAddress(':80'), { host: '0.0.0.0', port: 80 });
  for (const text of ['', 'a', 'a:b', 'a:65536', '::1:53', 'a b:1'])
    t.is(parseListenAddress(text), undefined, text);
});

test('the bash completion completes flags and choices', (t) => {
  const script = toCompletion(program, 'bash');
  const complete = (...words: readonly string[]): string =>
    execFileSync(
      'bash',
      [
        '-c',
        `${script}\nCOMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _isthmus_test; echo "\${COMPREPLY[@]}"`,
      ],
      { encoding: 'utf8' },
    ).trim();
  t.is(complete('isthmus-test', '--da'), '--data-dir');
  t.is(complete('isthmus-test', '--level', 'h'), 'high');
});

test('what Kubernetes injects into Pods beside a Service named isthmus is no setting', (t) => {
  const outcome = read([], {
    ISTHMUS_SERVICE_HOST: '10.0.0.7',
    ISTHMUS_SERVICE_PORT: '7443',
    ISTHMUS_SERVICE_PORT_MESH: '7443',
    ISTHMUS_PORT: 'tcp://10.0.0.7:7443',
    ISTHMUS_PORT_7443_TCP: 'tcp://10.0.0.7:7443',
    ISTHMUS_PORT_7443_TCP_PROTO: 'tcp',
    ISTHMUS_PORT_7443_TCP_PORT: '7443',
    ISTHMUS_PORT_7443_TCP_ADDR: '10.0.0.7',
    ISTHMUS_COORDINATOR_SERVICE_HOST: '10.0.0.8',
    ISTHMUS_COORDINATOR_PORT_53_UDP: 'udp://10.0.0.8:53',
    ISTHMUS_LEVEL: 'high',
  });
  t.is(outcome.kind === 'run' && outcome.values.text('level'), 'high');
});
