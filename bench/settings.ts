// What a bench can be told on its command line. Pure.

import { readSettings, type Program, type Setting } from '../common/runtime/settings.ts';

export type BenchCommand =
  | {
      readonly kind: 'create-to-applied';
      readonly isJson: boolean;
      readonly agents: number;
      readonly services: number;
      readonly burst: number;
    }
  | {
      readonly kind: 'failover';
      readonly isJson: boolean;
      readonly rounds: number;
      readonly kills: number;
    }
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'error'; readonly message: string };

const json: Setting = {
  name: 'json',
  kind: 'switch',
  default: 'false',
  description: 'Print one JSON object instead of a table.',
};

// A simulated cluster has 250 load-balancer addresses; 127.11 to 127.250 leave 240 prefixes.
const createToApplied: readonly Setting[] = [
  toNumber('agents', 100, [1, 240], 'Agents, each with a cluster of its own.'),
  toNumber('services', 50, [1, 150], 'Services created one after another, with a rest of 0.9 s.'),
  toNumber('burst', 10, [0, 100], 'Services then created at once.'),
  json,
];

const failover: readonly Setting[] = [
  toNumber('rounds', 10, [1, 100], 'Times that a shard loses its last ready endpoint.'),
  toNumber('kills', 5, [0, 50], 'Times that a cluster is killed.'),
  json,
];

function toNumber(
  name: string,
  byDefault: number,
  [min, max]: readonly [number, number],
  description: string,
): Setting {
  return { name, kind: 'number', default: String(byDefault), min, max, description };
}

const usage = `npm run bench -- create-to-applied [--options]
  How long a Service takes from its acknowledged creation until all clusters have it.
npm run bench -- failover [--options]
  How long DNS takes to turn away from a shard without ready endpoints, and from a dead cluster.

Each has its own --help. Both need nats-server on PATH, and no other outside program.
`;

export function parseBenchCommand(argv: readonly string[], version: string): BenchCommand {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h')
    return { kind: 'print', text: usage };
  if (name !== 'create-to-applied' && name !== 'failover')
    return { kind: 'error', message: `unknown bench "${name}"\n\n${usage}` };
  const outcome = readSettings(toProgram(name, version), { argv: rest, env: {} });
  if (outcome.kind !== 'run') return outcome;
  const { values } = outcome;
  const numberOf = (setting: string): number => values.number(setting) ?? 0; // all have defaults
  const isJson = values.isOn('json');
  return name === 'failover'
    ? { kind: name, isJson, rounds: numberOf('rounds'), kills: numberOf('kills') }
    : {
        kind: name,
        isJson,
        agents: numberOf('agents'),
        services: numberOf('services'),
        burst: numberOf('burst'),
      };
}

function toProgram(name: 'create-to-applied' | 'failover', version: string): Program {
  return {
    name: `npm run bench -- ${name}`,
    summary:
      name === 'failover'
        ? 'endpoint or cluster lost -> DNS answer changed, on the topology of the demo.'
        : 'create acknowledged -> applied in every cluster, agents in four processes.',
    version,
    settings: name === 'failover' ? failover : createToApplied,
  };
}
