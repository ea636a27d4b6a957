// The differential suite: one script against a kube-apiserver with etcd and against us. Of its
// environment: DIFFERENTIAL_AREAS=create,watch runs those areas alone, DIFFERENTIAL_KUBECTLS=all
// takes every kubectl that is there, DIFFERENTIAL_REPORT=FILE gets the report.

import { writeFileSync } from 'node:fs';
import { areas } from '../differential/cases/all.ts';
import { findSuiteKubectls } from '../differential/kubectls.ts';
import { formatReport } from '../differential/report.ts';
import { startOurs, startTheirs } from '../differential/subjects.ts';
import { runSuite, type Report } from '../differential/suite.ts';
import { testWithPeers } from '../support/peers.ts';

const test = testWithPeers('etcd', 'kube-apiserver', 'kube-controller-manager');
const environment = process.env;
const wanted = (environment['DIFFERENTIAL_AREAS'] ?? '').split(',').filter((name) => name !== '');
const chosen = areas.filter(({ name }) => wanted.length === 0 || wanted.includes(name));

async function run(): Promise<Report> {
  const [theirs, ours] = await Promise.all([startTheirs(), startOurs()]);
  try {
    const kubectls = findSuiteKubectls(environment['DIFFERENTIAL_KUBECTLS'] === 'all');
    const report = await runSuite({ theirs, ours, areas: chosen, kubectls });
    const path = environment['DIFFERENTIAL_REPORT'];
    if (path !== undefined) writeFileSync(path, formatReport(report));
    return report;
  } finally {
    await Promise.all([theirs.stop(), ours.stop()]);
  }
}

let whole: Promise<Report> | undefined;

for (const { name } of chosen) {
  test(`the API answers as kube-apiserver does: ${name}`, async (t) => {
    t.timeout(300_000);
    whole ??= run();
    const report = await whole;
    const unexplained = report.unexplained.filter(({ area }) => area === name);
    t.is(unexplained.length, 0, formatReport({ ...report, unexplained, stale: [] }));
  });
}

if (wanted.length === 0) {
  test('every decided difference from kube-apiserver still happens', async (t) => {
    t.timeout(300_000);
    whole ??= run();
    t.deepEqual(
      (await whole).stale.map(({ what }) => what),
      [],
    );
  });
}
