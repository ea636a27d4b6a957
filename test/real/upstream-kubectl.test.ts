// Upstream's kubectl shell suite against a coordinator: the functions that pass whole, each in
// seconds. All of them, with what the others stop at: npm run upstream.

import { testWithPeers } from '../support/peers.ts';
import { quickFunctions } from '../upstream/kubectl-functions.ts';
import { missingScripts, runKubectlSuite } from '../upstream/kubectl-suite.ts';
import anyTest from 'ava';

const missing = missingScripts();
const test = testWithPeers('kubectl');
const title =
  "[k8s 128] functions of upstream's kubectl suite pass, and that of Services up to Pods";

if (missing === undefined) {
  test(title, async (t) => {
    t.timeout(170_000);
    const outcomes = await runKubectlSuite([...quickFunctions, 'service'], (line) => t.log(line));
    const stopped = outcomes.filter(({ name, isPassed }) => !isPassed && name !== 'service');
    t.deepEqual(stopped, []);
    const service = outcomes.find(({ name }) => name === 'service');
    t.true((service?.held ?? 0) >= serviceHeldMin, `only ${service?.held} assertions held`);
    t.regex(service?.last ?? '', /doesn't have a resource type "pods"/);
  });
} else {
  anyTest.skip(`${title} [missing scripts: ${missing}]`, (t) => t.pass());
}

// What it asserts before it makes a Deployment and a Pod for `kubectl expose`.
const serviceHeldMin = 35;
