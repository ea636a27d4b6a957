// Runs upstream's conformance program against a coordinator: the cases of conformance-cases.ts,
// for real. Input: the program and the cases' names. Output: what each came to.
//
// Next file to read: conformance-front.ts, which answers what only a cluster of nodes has.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../common/runtime/clock.ts';
import { createCa, issueServerCertificate } from '../../common/runtime/pki.ts';
import {
  isRecord,
  own,
  ownList,
  ownRecord,
  ownText,
} from '../../coordinator/api/machinery/schema/json-value.ts';
import { peerPath } from '../support/find-peer.ts';
import { writeTokenKubeconfig } from '../support/token-kubeconfig.ts';
import { openConformanceFront } from './conformance-front.ts';
import { openUpstreamServer } from './upstream-server.ts';

export interface CaseOutcome {
  /** Upstream's name, without its tags at the end. */
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  /** Why it is not passed: the first line of what the program said. */
  readonly reason: string;
  readonly seconds: number;
}

const graceMs = 20_000;
const lifetime = { validDays: 1, clock: systemClock };

/** Runs them one after another. Throws when the program ends before the first case. */
export async function runConformance(
  program: string,
  names: readonly string[],
  deadlineMs: number,
): Promise<readonly CaseOutcome[]> {
  const server = await openUpstreamServer();
  try {
    const ca = await createCa({ commonName: 'conformance-front', ...lifetime });
    const keys = await issueServerCertificate({
      ca,
      commonName: 'conformance-front',
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
      ...lifetime,
    });
    const front = await openConformanceFront({ url: server.url, caPem: server.caPem, keys });
    try {
      const caFile = join(server.dir, 'front-ca.crt');
      const kubeconfig = join(server.dir, 'front.kubeconfig');
      writeFileSync(caFile, ca.certPem);
      const url = `https://127.0.0.1:${front.port}`;
      writeTokenKubeconfig(kubeconfig, { server: url, caFile, user: 'admin', token: server.token });
      const reports = join(server.dir, 'reports');
      mkdirSync(reports);
      const run = { program, names, kubeconfig, url, reports, deadlineMs };
      return await runProgram(run);
    } finally {
      await front.close();
    }
  } finally {
    await server.close();
  }
}

interface ProgramRun {
  readonly program: string;
  readonly names: readonly string[];
  readonly kubeconfig: string;
  readonly url: string;
  readonly reports: string;
  readonly deadlineMs: number;
}

async function runProgram(run: ProgramRun): Promise<readonly CaseOutcome[]> {
  const report = join(run.reports, 'report.json');
  const child = spawn(
    run.program,
    [
      '--provider=skeleton',
      `--kubeconfig=${run.kubeconfig}`,
      `--host=${run.url}`,
      `--kubectl-path=${peerPath('kubectl')}`,
      '--num-nodes=1',
      '--minStartupPods=0',
      '--allowed-not-ready-nodes=-1',
      '--e2e-verify-service-account=false',
      '--dump-logs-on-failure=false',
      `--report-dir=${run.reports}`,
      `--ginkgo.focus=(${run.names.map(escapeRegExp).join('|')}) \\[`,
      '--ginkgo.no-color',
      `--ginkgo.timeout=${Math.floor(run.deadlineMs / 1000)}s`,
      `--ginkgo.json-report=${report}`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], timeout: run.deadlineMs + graceMs, killSignal: 'SIGKILL' },
  );
  const said: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const log = Buffer.concat(said).toString('utf8');
  const keptAt = process.env['ISTHMUS_UPSTREAM_LOG'];
  if (keptAt !== undefined) writeFileSync(keptAt, log);
  const outcomes = existsSync(report) ? readReport(readFileSync(report, 'utf8')) : [];
  if (outcomes.length > 0) return outcomes;
  throw new Error(`the program ended with ${code} before a case: ${log.slice(-2_000)}`);
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Ginkgo's report: one entry a suite, one a case, with those that were not asked. */
function readReport(text: string): readonly CaseOutcome[] {
  const suites: unknown = JSON.parse(text);
  const specs = (Array.isArray(suites) ? suites : []).flatMap((suite: unknown) =>
    isRecord(suite) ? ownList(suite, 'SpecReports') : [],
  );
  return specs.flatMap((spec) => {
    if (!isRecord(spec) || ownText(spec, 'LeafNodeType') !== 'It') return [];
    const state = ownText(spec, 'State');
    const reason = ownText(ownRecord(spec, 'Failure'), 'Message');
    if (state === 'skipped' && reason === '') return [];
    const texts = [...ownList(spec, 'ContainerHierarchyTexts'), own(spec, 'LeafNodeText')];
    const seconds = Number(own(spec, 'RunTime') ?? 0) / 1e9;
    return [
      {
        name: texts.join(' ').replace(/( \[[A-Z][A-Za-z]*\])+$/, ''),
        state: state === 'passed' || state === 'skipped' ? state : ('failed' as const),
        reason: reason
          .split('\n')
          .map((line) => line.trim())
          .filter(Boolean)
          .slice(0, 2)
          .join(' '),
        seconds,
      },
    ];
  });
}
