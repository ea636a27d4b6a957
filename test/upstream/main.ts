// Upstream's own suites against a coordinator, and the page that says what they came to.
//
//   npm run upstream                  both, and writes docs/upstream-suites.md
//   npm run upstream -- kubectl NAME  just these functions of the kubectl suite, to the terminal
//   npm run upstream -- e2e NAME      just these conformance cases, to the terminal
//
// The peers kubectl and e2e.test have to be there: npm run peers -- --only kubectl,e2e.test

import { writeFileSync } from 'node:fs';
import { findPeer } from '../support/find-peer.ts';
import { askedCases, decidedCases } from './conformance-cases.ts';
import { runConformance } from './conformance.ts';
import { explain, kubectlFunctions } from './kubectl-functions.ts';
import { missingScripts, runKubectlSuite } from './kubectl-suite.ts';
import { toPage } from './page.ts';

const deadlineMs = 20 * 60_000;
const page = 'docs/upstream-suites.md';

process.exitCode = await main(process.argv.slice(2));

async function main([suite, ...names]: readonly string[]): Promise<number> {
  const missing = findMissing(suite);
  if (missing !== undefined) {
    say(`cannot run: ${missing}`);
    return 2;
  }
  const functions = suite === 'e2e' ? [] : names.length > 0 ? names : kubectlFunctions;
  const cases =
    suite === 'kubectl'
      ? []
      : names.length > 0
        ? names
        : [...askedCases, ...Object.keys(decidedCases)];
  const ran = functions.length === 0 ? [] : await runKubectlSuite(functions, say);
  const program = findPeer('e2e.test');
  const asked =
    cases.length === 0 || !('path' in program)
      ? []
      : await runConformance(program.path, cases, deadlineMs);
  for (const { name, state, reason } of asked) say(`${state} ${name} ${reason}`);
  if (suite === undefined) writeFileSync(page, toPage(ran, asked));
  const bad = [
    ...ran.filter((outcome) => !outcome.isPassed && explain(outcome) === undefined),
    ...asked.filter(({ name, state }) => state !== 'passed' && decidedCases[name] === undefined),
  ];
  for (const { name } of bad) say(`NOT EXPLAINED: ${name}`);
  return bad.length === 0 ? 0 : 1;
}

function findMissing(suite: string | undefined): string | undefined {
  const needed = suite === 'kubectl' ? ['kubectl'] : ['kubectl', 'e2e.test'];
  const missing = needed
    .map(findPeer)
    .flatMap((found) => ('missing' in found ? [found.missing] : []));
  return missing[0] ?? (suite === 'e2e' ? undefined : missingScripts());
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
