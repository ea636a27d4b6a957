// Walks through types, addresses and ports, step by step the same as a real kube-apiserver 1.34.4
// (test/plan/service-golden.json holds its answers, with ranges 10.96.0.0/16 and fd00::/112).

import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import {
  playScenario,
  type Scenario,
  type Send,
  type StepAnswer,
} from '../support/service-recording.ts';
import { scenarios } from '../support/service-scenarios.ts';
import { createServiceApi, servicesPath } from '../support/service-api.ts';

const golden = JSON.parse(readFileSync('test/plan/service-golden.json', 'utf8')) as Readonly<
  Record<string, readonly StepAnswer[]>
>;

async function openSend(isDual: boolean): Promise<Send> {
  const { fixture } = await createServiceApi({
    addresses: isDual ? '10.96.0.0/16,fd00::/112' : '10.96.0.0/16',
  });
  return async ({ method, at = '', body }) => {
    const path = at === '' ? servicesPath : `${servicesPath}/${at}`;
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const answer = await fixture.call(method, path, body, { 'content-type': type });
    const headers = [answer.headers['warning'] ?? []].flat();
    const warnings = headers.map((text) =>
      text.replace(/^299 - "(.*)"$/, '$1').replace(/\\(.)/g, '$1'),
    );
    return { status: answer.status, warnings, json: answer.json };
  };
}

async function play(t: ExecutionContext, scenario: Scenario): Promise<void> {
  const answers = await playScenario(scenario, await openSend(scenario.isDual === true));
  const wanted = golden[scenario.title] ?? [];
  t.is(answers.length, wanted.length);
  for (const [index, answer] of answers.entries()) {
    t.deepEqual(answer, wanted[index], `step ${index + 1}`);
  }
}

function of(items: string): readonly Scenario[] {
  return scenarios.filter((scenario) => scenario.items === items);
}

// The page of compatibility reads the numbers from the titles, so they stand here in letters.
for (const one of of('16')) test(`[k8s 16] ${one.title}`, (t) => play(t, one));
for (const one of of('31')) test(`[k8s 31] ${one.title}`, (t) => play(t, one));
for (const one of of('76')) test(`[k8s 76] ${one.title}`, (t) => play(t, one));
for (const one of of('77')) test(`[k8s 77] ${one.title}`, (t) => play(t, one));
for (const one of of('78')) test(`[k8s 78] ${one.title}`, (t) => play(t, one));
for (const one of of('79')) test(`[k8s 79] ${one.title}`, (t) => play(t, one));
for (const one of of('82')) test(`[k8s 82] ${one.title}`, (t) => play(t, one));
for (const one of of('83')) test(`[k8s 83] ${one.title}`, (t) => play(t, one));

test('every scenario is played, and nothing else was recorded', (t) => {
  const shown = ['16', '31', '76', '77', '78', '79', '82', '83'];
  t.true(scenarios.every(({ items }) => shown.includes(items)));
  t.deepEqual(Object.keys(golden).sort(), scenarios.map(({ title }) => title).sort());
});
