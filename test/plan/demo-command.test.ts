// The demo's command line, its search for nats-server, and what the guide expects of DNS.

import test from 'ava';
import { encodeTail } from '../../common/pure/dns-wire-encode.ts';
import { toWireName } from '../../common/pure/dns-wire.ts';
import { memberClusters } from '../../demo/clusters.ts';
import { parseReply } from '../../demo/guide/dns-reply.ts';
import { differences, expectedAnswers, toAnswer } from '../../demo/guide/expected-dns.ts';
import { helpFor } from '../../demo/cluster/load-balancers.ts';
import { provideNatsServer, type Machine } from '../../demo/nats-server.ts';
import { parseCommand } from '../../demo/settings.ts';

const parse = (...argv: readonly string[]) => parseCommand(argv, '0.1.0');

test('no argument runs the demo in .demo on the documented ports', (t) => {
  t.deepEqual(parse(), { kind: 'run', dir: '.demo', isAnyPort: false, isReal: false });
  t.deepEqual(parse('--dir', 'x', '--any-port'), {
    kind: 'run',
    dir: 'x',
    isAnyPort: true,
    isReal: false,
  });
});

test('--once takes a temporary folder unless one is given', (t) => {
  t.deepEqual(parse('--once'), { kind: 'once', dir: undefined, isReal: false });
  t.deepEqual(parse('--once', '--dir=x'), { kind: 'once', dir: 'x', isReal: false });
});

test('--real chooses members with a real API server', (t) => {
  t.like(parse('--real'), { kind: 'run', isReal: true });
  t.like(parse('--once', '--real'), { kind: 'once', isReal: true });
});

test('ctl names a verb and a process', (t) => {
  t.deepEqual(parse('ctl', 'kill', 'aws-us-east-1a/agent', '--dir', 'x'), {
    kind: 'ctl',
    dir: 'x',
    verb: 'kill',
    part: 'aws-us-east-1a/agent',
  });
  t.like(parse('ctl', 'shoot', 'nats'), { kind: 'error' });
  t.like(parse('ctl', 'kill'), { kind: 'error' });
  t.like(parse('ctl'), { kind: 'error' });
});

test('--help explains every option, ctl and the ports; an unknown option is an error', (t) => {
  const help = parse('--help');
  t.is(help.kind, 'print');
  const text = help.kind === 'print' ? help.text : '';
  for (const word of ['--dir', '--any-port', '--once', 'ctl kill', '6443', '8053', '8104']) {
    t.true(text.includes(word), word);
  }
  t.like(parse('--port', '1'), { kind: 'error' });
});

function machine(given: Partial<Machine> & { readonly files: readonly string[] }): {
  readonly machine: Machine;
  readonly commands: string[];
} {
  const files = new Set(given.files);
  const commands: string[] = [];
  return {
    commands,
    machine: {
      platform: 'linux',
      isRoot: false,
      path: ['/usr/bin'],
      exists: (path) => files.has(path),
      isProgram: (path) => files.has(path),
      run: (command, args) => {
        commands.push([command, ...args].join(' '));
        if (args.includes('install')) files.add('/usr/sbin/nats-server');
        return 0;
      },
      forbidServices: () => {
        commands.push('forbid services');
        return () => void commands.push('allow services');
      },
      ...given,
    },
  };
}

test('a nats-server that is there is used, and nothing is run', (t) => {
  const { machine: at, commands } = machine({ files: ['/usr/sbin/nats-server'] });
  t.deepEqual(
    provideNatsServer(at, () => undefined),
    { kind: 'found', path: '/usr/sbin/nats-server' },
  );
  t.deepEqual(commands, []);
});

test('root with apt installs it, says so, and leaves no service running', (t) => {
  const said: string[] = [];
  const { machine: at, commands } = machine({
    isRoot: true,
    files: ['/usr/bin/apt-get', '/usr/bin/systemctl', '/run/systemd/system'],
  });
  t.is(provideNatsServer(at, (text) => said.push(text)).kind, 'found');
  t.true(said[0]?.includes('nats-server'));
  t.deepEqual(commands, [
    'forbid services',
    '/usr/bin/apt-get install -y --no-install-recommends nats-server',
    'allow services',
    '/usr/bin/systemctl disable --now nats-server.service',
  ]);
});

test('anybody else is told the command', (t) => {
  const { machine: at, commands } = machine({ files: ['/usr/bin/apt-get'] });
  const found = provideNatsServer(at, () => undefined);
  t.true(found.kind === 'missing' && found.command.startsWith('sudo apt-get'));
  t.deepEqual(commands, []);
  const mac = provideNatsServer(
    machine({ platform: 'darwin', files: [] }).machine,
    () => undefined,
  );
  t.deepEqual(mac, { kind: 'missing', command: 'brew install nats-server' });
});

test('a refused listener is explained by the command that helps', (t) => {
  t.regex(helpFor('EACCES', '127.11.0.1', 80), /sysctl net\.ipv4\.ip_unprivileged_port_start=80/);
  t.regex(helpFor('EADDRNOTAVAIL', '127.11.0.1', 80), /ip addr add 127\.11\.0\.1|lo0 alias/);
});

const scope = { federation: 'myfederation', domain: 'example.com' };
const addresses = new Map(memberClusters.map(({ name }, index) => [name, `127.${11 + index}.0.1`]));
const base = 'nginx.default.myfederation.svc';

test('the guide: a zone without healthy shard leads to its region, a region to the global name', (t) => {
  const answers = expectedAnswers(memberClusters, addresses, new Set(['gce-us-central1-a']), scope);
  t.deepEqual(Object.fromEntries(answers), {
    [`${base}.example.com`]: 'A 127.11.0.1',
    [`${base}.us-central1.example.com`]: 'A 127.11.0.1',
    [`${base}.us-central1-a.us-central1.example.com`]: 'A 127.11.0.1',
    [`${base}.us-central1-f.us-central1.example.com`]: `CNAME ${base}.us-central1.example.com`,
    [`${base}.us-east-1.example.com`]: `CNAME ${base}.example.com`,
    [`${base}.us-east-1a.us-east-1.example.com`]: `CNAME ${base}.us-east-1.example.com`,
    [`${base}.regionone.example.com`]: `CNAME ${base}.example.com`,
    [`${base}.nova.regionone.example.com`]: `CNAME ${base}.regionone.example.com`,
  });
  t.deepEqual(differences(answers, answers), []);
  t.is(differences(answers, new Map()).length, 8);
});

test('a reply with a compressed CNAME chain is read in order', (t) => {
  const question = toWireName('a.example.com');
  const target = toWireName('b.example.com');
  if (question === undefined || target === undefined) throw new Error('names');
  const tail = encodeTail(question, {
    answers: [
      { name: question, ttlSeconds: 60, data: { type: 'CNAME', target } },
      { name: target, ttlSeconds: 60, data: { type: 'A', address: '192.0.2.1' } },
    ],
  });
  const header = Buffer.from([0, 7, 0x84, 0, 0, 1, 0, 2, 0, 0, 0, 0]);
  const body = Buffer.concat([
    header,
    Buffer.from(question, 'latin1'),
    Buffer.from([0, 1, 0, 1]),
    tail.bytes,
  ]);
  const reply = parseReply(body, 7);
  t.is(toAnswer(reply), 'CNAME b.example.com');
  t.deepEqual(reply?.answers[1], {
    name: 'b.example.com',
    type: 'A',
    ttlSeconds: 60,
    value: '192.0.2.1',
  });
  t.is(parseReply(body, 8), undefined);
  for (let length = 0; length < body.length; length += 1) {
    t.is(parseReply(body.subarray(0, length), 7), undefined, `cut to ${length} bytes`);
  }
});
