// What the demo can be told on its command line. Pure.

import { readSettings, type Program } from '../common/runtime/settings.ts';

export type CtlVerb = 'kill' | 'stop' | 'cont' | 'start';

export type Command =
  | {
      readonly kind: 'run';
      readonly dir: string;
      readonly isAnyPort: boolean;
      readonly isReal: boolean;
    }
  /** `dir` is undefined: a fresh temporary one. */
  | { readonly kind: 'once'; readonly dir: string | undefined; readonly isReal: boolean }
  | { readonly kind: 'ctl'; readonly dir: string; readonly verb: CtlVerb; readonly part: string }
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'error'; readonly message: string };

const ctlVerbs: readonly CtlVerb[] = ['kill', 'stop', 'cont', 'start'];
export const defaultDir = '.demo';

function demoProgram(version: string): Program {
  return {
    name: 'npm run demo --',
    summary: 'starts NATS, the coordinator and four member clusters with an agent each.',
    version,
    settings: [
      {
        name: 'dir',
        kind: 'text',
        description: `Folder of all state: kubeconfig, demo.json, logs. Default ${defaultDir} (--once: a temporary one).`,
      },
      {
        name: 'any-port',
        kind: 'switch',
        default: 'false',
        description: 'Take free ports instead of the documented ones.',
      },
      {
        name: 'once',
        kind: 'switch',
        default: 'false',
        description:
          'Play the guide by itself on free ports, print each step, then stop everything.',
      },
      {
        name: 'real',
        kind: 'switch',
        default: 'false',
        description:
          'Members with a real etcd, kube-apiserver and kube-controller-manager, built by: npm run peers.',
      },
    ],
  };
}

const usage = `
Processes of a running demo, from another terminal:

  npm run demo -- ctl kill NAME    SIGKILL: it dies at once
  npm run demo -- ctl stop NAME    SIGSTOP: it hangs
  npm run demo -- ctl cont NAME    SIGCONT: it goes on
  npm run demo -- ctl start NAME   start it again after kill

NAME is coordinator, nats, CLUSTER (its API and its load balancers) or CLUSTER/agent, CLUSTER being
gce-us-central1-a, gce-us-central1-f, aws-us-east-1a or openstack-regionone. Add --dir DIR when
the demo was started with it.

Ports (all on 127.0.0.1): Kubernetes API of the federation 6443, mesh 7443, NATS 4222, DNS 8053,
admin 8080; Kubernetes APIs of the members 6501 to 6504, their resolvers 8101 to 8104, admin ports
of their agents 8201 to 8204. Load balancers: 127.11.0.N to 127.14.0.N, at their Services' ports.

Exit codes: 0 stopped by Ctrl-C, or every step of --once ok; 1 something failed; 2 wrong use;
3 nats-server is missing and could not be installed.
`;

/** Never prints and never exits. `argv` is what follows the program's name. */
export function parseCommand(argv: readonly string[], version: string): Command {
  const [first, verb, part, ...rest] = argv;
  if (first === 'ctl' && argv.length > 1 && verb !== '--help')
    return parseCtl(verb, part, rest, version);
  const outcome = readSettings(demoProgram(version), {
    argv: first === 'ctl' ? argv.slice(1) : argv,
    env: {},
  });
  switch (outcome.kind) {
    case 'print':
      return { kind: 'print', text: withUsage(outcome.text) };
    case 'error':
      return { kind: 'error', message: outcome.message };
    case 'run': {
      if (first === 'ctl') return { kind: 'error', message: ctlUsage('') };
      const dir = outcome.values.text('dir');
      const isReal = outcome.values.isOn('real');
      if (outcome.values.isOn('once')) return { kind: 'once', dir, isReal };
      const isAnyPort = outcome.values.isOn('any-port');
      return { kind: 'run', dir: dir ?? defaultDir, isAnyPort, isReal };
    }
  }
}

function parseCtl(
  verb: string | undefined,
  part: string | undefined,
  rest: readonly string[],
  version: string,
): Command {
  const known = ctlVerbs.find((candidate) => candidate === verb);
  if (known === undefined)
    return { kind: 'error', message: ctlUsage(`unknown verb "${verb ?? ''}"`) };
  if (part === undefined || part.startsWith('--'))
    return { kind: 'error', message: ctlUsage('NAME is missing') };
  const outcome = readSettings(demoProgram(version), { argv: rest, env: {} });
  if (outcome.kind !== 'run') return { kind: 'error', message: ctlUsage('') };
  return { kind: 'ctl', dir: outcome.values.text('dir') ?? defaultDir, verb: known, part };
}

function ctlUsage(why: string): string {
  const usageLine = 'usage: npm run demo -- ctl kill|stop|cont|start NAME [--dir DIR]';
  return why === '' ? usageLine : `${why}\n${usageLine}`;
}

/** The settings' own help also speaks of files and environment, which the demo does not read. */
function withUsage(help: string): string {
  if (!help.includes('\n\nEach option')) return help;
  return `${help.slice(0, help.indexOf('\n\nEach option'))}\n${usage}`;
}
