// The agent's settings: what is refused, and what the rest become.

import test from 'ava';
import { readSettings } from '../../common/runtime/settings.ts';
import { agentProgram, toAgentOptions } from '../../agent/settings.ts';

function read(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const outcome = readSettings(agentProgram('1.2.3'), { argv, env });
  return outcome.kind === 'run' ? toAgentOptions(outcome.values) : outcome;
}

const needed = ['--cluster', 'a', '--coordinator', 'h:1'];
const refused: readonly (readonly [
  string,
  readonly string[],
  Readonly<Record<string, string>>,
  RegExp,
])[] = [
  ['an unknown variable', needed, { ISTHMUS_CLUSTRE: 'a' }, /unknown setting ISTHMUS_CLUSTRE/],
  ['no cluster', ['--coordinator', 'h:1'], {}, /--cluster is needed/],
  ['a cluster that is no DNS label', ['--cluster', 'A.b', '--coordinator', 'h:1'], {}, /DNS label/],
  ['no coordinator', ['--cluster', 'a'], {}, /--coordinator is needed/],
  ['a coordinator without port', ['--cluster', 'a', '--coordinator', 'h'], {}, /host:port/],
  ['a context without kubeconfig', [...needed, '--context', 'c'], {}, /needs --kubeconfig/],
  ['two tokens', [...needed, '--token', 'x', '--token-file', 'y'], {}, /exclude each other/],
  ['fewer removals than none', [...needed, '--removals-per-minute', '-1'], {}, /a number from 0/],
  ['an odd namespace', [...needed, '--allowed-namespaces', 'a,B c'], {}, /B c is no name/],
];
for (const [title, argv, env, expected] of refused) {
  test(`${title} is refused with a hint`, (t) => {
    const outcome = read(argv, env);
    t.is(outcome.kind, 'error');
    if (outcome.kind === 'error') t.regex(outcome.message, expected);
  });
}

test('settings come from flags and environment, with safe defaults', (t) => {
  const outcome = read([...needed, '--zone', 'us-a'], {
    ISTHMUS_ALLOWED_NAMESPACES: 'shop, web',
    ISTHMUS_TOKEN_FILE: '/t',
  });
  t.like(outcome, {
    kind: 'options',
    options: {
      agent: {
        cluster: 'a',
        declared: { zone: 'us-a', region: undefined },
        guard: { allowedNamespaces: ['shop', 'web'], removalsPerMinute: 60 },
        allowLoopback: false,
      },
      coordinator: { host: 'h', port: 1 },
      tokenFile: '/t',
      logLevel: 'info',
    },
  });
});
