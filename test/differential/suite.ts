// Runs the areas against both servers, step by step at the same time, and sorts the differences
// into decided and unexplained ones.
//
// Input: two subjects, areas, kubectls. Output: a Report. Next file to read: decided.ts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kubectl } from '../support/programs.ts';
import { compare, type Difference } from './compare.ts';
import { decided, explains, type Decided } from './decided.ts';
import { normalise, type Normal } from './normalise.ts';
import { perform, type Answer, type Session, type Subject } from './perform.ts';
import type { Area, Step } from './step.ts';

export interface Report {
  /** Steps that were compared. */
  readonly compared: number;
  readonly unexplained: readonly Difference[];
  readonly explained: readonly Difference[];
  /** Decided differences that did not happen. */
  readonly stale: readonly Decided[];
}

export interface SuiteOptions {
  readonly theirs: Subject;
  readonly ours: Subject;
  readonly areas: readonly Area[];
  readonly kubectls: readonly Kubectl[];
}

// Each kubectl is a process; more of them at once than cores make nothing faster.
const areasAtOnce = 3;

export async function runSuite(options: SuiteOptions): Promise<Report> {
  const runs = options.areas
    .flatMap((area) => toRuns(area, options.kubectls))
    .map((run, index) => ({ ...run, port: firstPort + index }));
  const differences: Difference[] = [];
  let compared = 0;
  const queue = [...runs];
  const work = async (): Promise<void> => {
    for (let run = queue.shift(); run !== undefined; run = queue.shift()) {
      const found = await runArea(run, options);
      compared += found.compared;
      differences.push(...found.differences);
    }
  };
  await Promise.all(Array.from({ length: areasAtOnce }, work));
  return { compared, ...sort(differences) };
}

export function sort(differences: readonly Difference[]): Omit<Report, 'compared'> {
  const isDecided = (difference: Difference): boolean =>
    decided.some((each) => explains(each, difference));
  return {
    unexplained: differences.filter((difference) => !isDecided(difference)),
    explained: differences.filter(isDecided),
    stale: decided
      .filter((each) => each.steps.length > 0)
      .filter((each) => !differences.some((difference) => explains(each, difference))),
  };
}

interface Run {
  readonly area: Area;
  readonly name: string;
  readonly kubectl: Kubectl | undefined;
  /** A node port that no other run asks for. */
  readonly port: number;
}

const firstPort = 30_040;

/** An area with kubectl commands runs once with each kubectl, in a namespace of its own. */
function toRuns(area: Area, kubectls: readonly Kubectl[]): readonly Omit<Run, 'port'>[] {
  if (!area.steps.some(({ kind }) => kind === 'kubectl')) {
    return [{ area, name: area.name, kubectl: undefined }];
  }
  return kubectls.map((kubectl) => ({
    area,
    name: `${area.name}-${kubectl.minor.replace('.', '-')}`,
    kubectl,
  }));
}

interface Pair {
  readonly theirs: Session;
  readonly ours: Session;
}

async function runArea(
  { area, name, kubectl, port }: Run,
  { theirs, ours }: SuiteOptions,
): Promise<{ readonly compared: number; readonly differences: readonly Difference[] }> {
  const folders: string[] = [];
  const open = (subject: Subject): Session => {
    const folder = mkdtempSync(join(tmpdir(), 'isthmus-kubectl-'));
    folders.push(folder);
    writeFileSync(join(folder, 'kubeconfig'), subject.kubeconfig(name), { mode: 0o600 });
    const values = new Map([
      ['ns', name],
      ['token', subject.token],
      ['kubectl', kubectl?.minor ?? ''],
      ['port', String(port)],
    ]);
    return {
      subject,
      values,
      ...(kubectl === undefined ? {} : { kubectl: { path: kubectl.path, folder } }),
    };
  };
  const pair = { theirs: open(theirs), ours: open(ours) };
  try {
    const steps = [openNamespace(name), ...area.steps.filter((step) => isFor(step, kubectl))];
    const differences: Difference[] = [];
    for (const step of steps) differences.push(...(await runStep(step, area.name, pair)));
    return { compared: steps.filter((step) => !isSetup(step)).length, differences };
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

function openNamespace(name: string): Step {
  return {
    kind: 'http',
    title: 'open the namespace',
    method: 'POST',
    path: '/api/v1/namespaces',
    headers: {},
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
    save: {},
    isSetup: true,
    isBare: false,
  };
}

function isFor(step: Step, kubectl: Kubectl | undefined): boolean {
  if (step.kind !== 'kubectl' || kubectl === undefined) return true;
  const minor = Number(kubectl.minor.split('.')[1]);
  return step.minors[0] <= minor && minor <= step.minors[1];
}

function isSetup(step: Step): boolean {
  return step.kind !== 'watch' && step.isSetup;
}

async function runStep(step: Step, area: string, pair: Pair): Promise<readonly Difference[]> {
  const [theirs, ours] = await Promise.all([
    answerOf(step, pair.theirs),
    answerOf(step, pair.ours),
  ]);
  const found = isSetup(step)
    ? compare(successOf(step, theirs), successOf(step, ours))
    : compare(toNormal(step, theirs), toNormal(step, ours));
  return found.map((difference) => ({ area, step: step.title, ...difference }));
}

/** A server that does not answer at all is a difference like any other. */
async function answerOf(step: Step, session: Session): Promise<Answer | string> {
  return perform(step, session).catch((error: unknown) => `no answer: ${String(error)}`);
}

function toNormal(step: Step, answer: Answer | string): Normal {
  return typeof answer === 'string' ? { fault: answer } : normalise(step, answer);
}

function successOf(step: Step, answer: Answer | string): Normal {
  if (typeof answer === 'string') return { fault: answer };
  const wanted = step.kind === 'http' ? step.until : undefined;
  const isGood =
    answer.kind === 'kubectl' ? answer.code === 0 : answer.status < 300 || answer.status === wanted;
  if (isGood) return {};
  return { fault: answer.kind === 'http' ? answer.body : 'the preparation failed' };
}
