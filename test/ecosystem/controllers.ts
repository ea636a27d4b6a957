// What controllers and Pulumi send: controller-runtime's informers of metadata alone, begun with a
// watch list; Pulumi's previews, creations and deletions by apply on the server.

import { eventually } from '../support/eventually.ts';
import { at, listAt, type Ask } from './kube-connection.ts';

const configMaps = '/api/v1/namespaces/default/configmaps';
const apply = { 'content-type': 'application/apply-patch+yaml' };

function partial(kind: string): string {
  return `application/json;as=${kind};g=meta.k8s.io;v=v1,application/json`;
}

export async function informOfMetadata(ask: Ask): Promise<readonly string[]> {
  const facts: string[] = [];
  const say = (fact: string): void => void facts.push(fact);
  const labels = { informed: 'yes' };
  for (const name of ['informed-a', 'informed-b'])
    await ask({
      method: 'POST',
      path: configMaps,
      body: { metadata: { name, labels }, data: { big: 'never sent' } },
    });
  const select = 'labelSelector=informed%3Dyes';
  const begin =
    'allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true' +
    '&timeoutSeconds=1&watch=true';
  const headers = { accept: partial('PartialObjectMetadata') };
  const begun = await ask({ path: `/api/v1/configmaps?${select}&${begin}`, headers });
  say(`watch list ${begun.status}`);
  for (const line of begun.lines.filter(isTold)) say(tellEvent(line));
  const version = String(at(begun.lines.at(-1), 'object.metadata.resourceVersion'));
  await ask({
    method: 'PATCH',
    path: `${configMaps}/informed-a`,
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { metadata: { labels: { informed: 'no' } } },
  });
  await ask({ method: 'DELETE', path: `${configMaps}/informed-b` });
  const query = `${select}&watch=true&timeoutSeconds=1&resourceVersion=${version}`;
  const on = await ask({ path: `/api/v1/configmaps?${query}`, headers });
  for (const line of on.lines.filter(isTold)) say(tellEvent(line));
  const listed = await ask({
    path: `/api/v1/configmaps?${select}&limit=500`,
    headers: { accept: partial('PartialObjectMetadataList') },
  });
  say(`list ${String(listed.json['kind'])} of ${listAt(listed.json, 'items').length}`);
  return facts;
}

/** A server may send a bookmark whenever it likes; only the one that ends the list says something. */
function isTold(line: unknown): boolean {
  return at(line, 'type') !== 'BOOKMARK' || isListEnd(line);
}

function isListEnd(line: unknown): boolean {
  const annotations = at(line, 'object.metadata.annotations');
  return JSON.stringify(annotations ?? {}).includes('k8s.io/initial-events-end');
}

function tellEvent(line: unknown): string {
  const object = at(line, 'object');
  const name = String(at(object, 'metadata.name') ?? '');
  const keys = typeof object === 'object' && object !== null ? Object.keys(object).sort() : [];
  return `${String(at(line, 'type'))} ${name}${isListEnd(line) ? 'end of the list' : ''} ${keys.join()}`;
}

export async function preview(ask: Ask): Promise<readonly string[]> {
  const facts: string[] = [];
  const say = (fact: string): void => void facts.push(fact);
  const manager = 'fieldManager=pulumi-kubernetes-0a1b2c3d';
  const path = '/api/v1/namespaces/default/services/previewed';
  const body = (port: number, more: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'previewed', annotations: { 'pulumi.com/autonamed': 'true' } },
    spec: { selector: { app: 'a' }, ports: [{ name: 'http', port }], ...more },
  });
  const patch = (query: string, port: number, more?: object) =>
    ask({
      method: 'PATCH',
      path: `${path}?${manager}&${query}`,
      headers: apply,
      body: body(port, more),
    });
  const previewed = await patch('dryRun=All&force=false', 80);
  // A preview shows what the server would give.
  const hasAddress = typeof at(previewed.json, 'spec.clusterIP') === 'string';
  say(`preview ${previewed.status} with address: ${hasAddress}`);
  say(`left behind: ${(await ask({ path })).status}`);
  const made = await patch('force=false', 80);
  say(`up ${made.status}`);
  const wrong = await patch('dryRun=All&force=false&fieldValidation=Strict', 80, { porst: [] });
  say(`misspelt ${wrong.status}: ${String(at(wrong.json, 'message'))}`);
  const next = await patch('dryRun=All&force=false', 81);
  say(`preview of an update ${next.status}, port ${String(at(next.json, 'spec.ports.0.port'))}`);
  const now = await ask({ path });
  say(`still port ${String(at(now.json, 'spec.ports.0.port'))}`);
  const fixed = await patch('dryRun=All&force=false', 80, { clusterIP: '10.96.255.254' });
  say(
    `preview of a replacement ${fixed.status} ${String(at(fixed.json, 'details.causes.0.field'))}`,
  );
  await ask({
    method: 'PATCH',
    path: `${path}?fieldManager=by-hand`,
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: { selector: { app: 'b' } } },
  });
  const conflict = await patch('dryRun=All&force=false', 81);
  say(`conflict ${conflict.status} ${listAt(conflict.json, 'details.causes').map(fieldOf).join()}`);
  say(`forced ${(await patch('force=true', 81)).status}`);
  say(
    `delete ${(await ask({ method: 'DELETE', path: `${path}?propagationPolicy=Foreground` })).status}`,
  );
  await eventually(40_000, async () =>
    (await ask({ path })).status === 404 ? [] : ['still there'],
  );
  return facts;
}

function fieldOf(cause: unknown): string {
  return String(at(cause, 'field'));
}
