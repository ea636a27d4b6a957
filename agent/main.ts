#!/usr/bin/env -S node --optimize-for-size --max-semi-space-size=1
// isthmus-agent: reads its settings, constructs the adapters, starts the agent, and says on stdout
// when it is ready. Everything else it has to say goes to stderr. The flags spare 30 MiB of every
// cluster: a small heap, and code is compiled for speed when it is hot for longer than a start.

import './compile-less.ts'; // before whatever would be compiled
import { readFileSync } from 'node:fs';
import { startAdminServer, type ReadyCheck } from '../common/runtime/admin-http.ts';
import { systemChance } from '../common/runtime/chance.ts';
import { systemClock } from '../common/runtime/clock.ts';
import { connectKube } from '../common/runtime/kube-http.ts';
import { loadKubeEndpoint } from '../common/runtime/kubeconfig.ts';
import { createLifecycle, endOnSignals, type Lifecycle } from '../common/runtime/lifecycle.ts';
import { createLog, describeError, type Log } from '../common/runtime/log.ts';
import { createMetrics } from '../common/runtime/metrics.ts';
import { openTunnels, readProxyRules } from '../common/runtime/proxy-tunnel.ts';
import { formatAddress, readSettings } from '../common/runtime/settings.ts';
import { makePrivateFolder } from '../common/runtime/private-folder.ts';
import { createTcpProber } from '../common/runtime/tcp-prober.ts';
import type { AgentSession } from './agent-ports.ts';
import { createAgent, type Agent } from './agent.ts';
import { openParent, tellFailure, type Parent } from './hosted/parent.ts';
import { openRole } from './open-role.ts';
import { createNodeHostLookup } from './resolver/node-host-lookup.ts';
import { createAgentSession } from './session/loop.ts';
import { createNatsLoginKeeper } from './session/nats-login.ts';
import type { AgentRecord } from './session/record.ts';
import { agentProgram, toAgentOptions, type AgentOptions } from './settings.ts';
import { createBusConnector } from './telemetry-bus.ts';

const clock = systemClock;
const chance = systemChance;

async function main(): Promise<void> {
  const outcome = readSettings(agentProgram(readVersion()), {
    argv: process.argv.slice(2),
    env: process.env,
  });
  if (outcome.kind === 'print') {
    process.stdout.write(outcome.text);
    return;
  }
  const checked = outcome.kind === 'run' ? toAgentOptions(outcome.values) : outcome;
  if (checked.kind === 'error') {
    process.stderr.write(`${checked.message}\n`);
    process.exitCode = 2; // usage
    return;
  }
  const { options } = checked;
  const log = createLog({
    level: options.logLevel,
    format: options.logFormat,
    name: 'isthmus-agent',
  });
  const lifecycle = createLifecycle({ clock, log });
  endOnSignals(lifecycle, log);
  try {
    await run(options, lifecycle, log.with({ cluster: options.agent.cluster }));
  } catch (error) {
    log.error('cannot start', { error: describeError(error) });
    if (options.isHosted) tellFailure(writeOut, error);
    await lifecycle.close();
    process.exit(1);
  }
}

async function run(options: AgentOptions, lifecycle: Lifecycle, log: Log): Promise<void> {
  makePrivateFolder(options.dataDir); // it holds the agent's key
  const metrics = createMetrics({ withProcess: true, clock });
  const parent = options.isHosted ? await openParentOf(log) : undefined;
  const kube =
    parent?.kube ??
    connectKube({
      config: await loadKubeEndpoint(options.kubeconfig, process.env),
      clock,
      chance,
    });
  lifecycle.onClose({ name: 'kube', close: async () => kube.close() });
  const started: { agent?: Agent } = {}; // the session describes the agent that is made with it
  const tunnels = openTunnels(readProxyRules(process.env), { clock, log });
  lifecycle.onClose({ name: 'tunnels', close: tunnels.close });
  const base = { kube, lifecycle, tunnels, clock, chance, log, metrics };
  const natsLogin = createNatsLoginKeeper({ ...options.agent, ...base });
  const role = await openRole(options, base, (record, dialer) =>
    createAgentSession({
      dialer,
      record,
      cluster: options.agent.cluster,
      token: () => (parent === undefined ? readToken(options) : parentToken(parent, record)),
      agentVersion: readVersion(),
      topology: () =>
        started.agent?.topology() ?? { zones: [], region: undefined, provider: undefined },
      kubernetesVersion: () => started.agent?.kubernetesVersion() ?? '',
      natsLogin,
      clock,
      chance,
      log,
      metrics,
    }),
  );
  const { session } = role;
  const agent = createAgent(
    {
      kube: role.kube,
      session,
      ...(role.leadership === undefined ? {} : { leadership: role.leadership }),
      busConnector: createBusConnector({
        cluster: options.agent.cluster,
        identity: () => role.identity(),
        welcome: () => session.welcome(),
        natsLogin,
        tunnels,
        clock,
        chance,
        log,
        metrics,
      }),
      prober: createTcpProber({ clock }),
      hostLookup: createNodeHostLookup(),
      recordedTopology: {
        read: () => role.topology(),
        write: (topology) => {
          role.writeTopology(topology).catch((error: unknown) => {
            log.warn('cannot record the topology', { error: describeError(error) });
          });
        },
      },
      clock,
      chance,
      log,
      metrics,
    },
    options.agent,
  );
  started.agent = agent;
  lifecycle.onClose({ name: 'agent', close: agent.stop });
  // No pod asks an agent that stands outside its cluster.
  const resolver =
    parent === undefined ? await agent.resolver.listen(options.resolverListen) : undefined;
  if (resolver !== undefined) lifecycle.onClose({ name: 'resolver', close: resolver.close });
  const admin = await startAdminServer({
    listen: options.adminListen,
    checks: { record: () => role.notReady(), ...toChecks(agent) },
    metrics: metrics.expose,
  });
  lifecycle.onClose({ name: 'admin', close: admin.close });
  if (role.identity()?.certPem === undefined) await parent?.fetchToken();
  await agent.start();
  await firstWelcome(session);
  sayReady(options, { resolver: resolver?.port, admin: admin.port });
}

function openParentOf(log: Log): Promise<Parent> {
  process.stdout.on('error', () => undefined); // its end shows at stdin
  return openParent({
    input: process.stdin,
    write: writeOut,
    onGone: () => void process.kill(process.pid, 'SIGTERM'),
    env: process.env,
    clock,
    chance,
    log,
  });
}

function writeOut(text: string): void {
  process.stdout.write(text);
}

/** Only who has no certificate needs one. */
function parentToken(parent: Parent, record: Pick<AgentRecord, 'identity'>): string | undefined {
  return record.identity()?.certPem === undefined ? parent.token() : undefined;
}

/** Read again at each try: a new token in the file helps without a restart. */
function readToken({ token, tokenFile }: AgentOptions): string | undefined {
  if (tokenFile === undefined) return token;
  try {
    const text = readFileSync(tokenFile, 'utf8').trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined; // once joined, nobody needs it any more
  }
}

/** At once when a former run has joined: the agent is then of use without its coordinator. */
function firstWelcome(session: AgentSession): Promise<void> {
  if (session.welcome() !== undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const unsubscribe = session.onWelcome(() => {
      unsubscribe();
      resolve();
    });
  });
}

/**
 * Ready means: of use to pods. The coordinator is not asked for: a resolver that knows its peers
 * must stay in service while the coordinator is away.
 */
function toChecks(agent: Agent): Readonly<Record<string, ReadyCheck>> {
  return {
    federation: () => (agent.status().federation === undefined ? 'not joined yet' : undefined),
    cache: () =>
      agent.status().isCacheFilled ? undefined : 'Services and EndpointSlices not read yet',
  };
}

function sayReady(
  { agent, resolverListen, adminListen }: AgentOptions,
  ports: { readonly resolver: number | undefined; readonly admin: number },
): void {
  const line = {
    ready: true,
    cluster: agent.cluster,
    ...(ports.resolver === undefined
      ? {}
      : { resolver: formatAddress({ ...resolverListen, port: ports.resolver }) }),
    admin: formatAddress({ ...adminListen, port: ports.admin }),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** From the package that this file was built into. */
function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { readonly version?: unknown }).version); // our own file
}

void main();
