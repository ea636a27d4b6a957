// What the demo tells others: demo.json, and one kubeconfig with a context for the federation
// and one for each member. Written whole or not at all.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';

export interface DemoFile {
  readonly federation: string;
  readonly domain: string;
  readonly api: string;
  readonly mesh: string;
  readonly nats: string;
  readonly dns: string;
  readonly admin: string;
  readonly kubeconfig: string;
  readonly clusters: Readonly<Record<string, DemoCluster>>;
  /** Of processes that run. */
  readonly pids: { readonly coordinator?: number; readonly nats?: number };
}

export interface DemoCluster {
  readonly context: string;
  readonly zone: string;
  readonly region: string;
  readonly provider: string;
  readonly api: string;
  readonly resolver: string;
  readonly pids: { readonly cluster?: number; readonly agent?: number };
}

export function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function writeDemoFile(path: string, file: DemoFile): void {
  writeWhole(path, `${JSON.stringify(file, undefined, 2)}\n`);
}

interface Kubeconfig {
  readonly clusters?: readonly unknown[];
  readonly users?: readonly unknown[];
  readonly contexts?: readonly unknown[];
}

/** All contexts of `sources` in one file, `current` chosen. */
export function mergeKubeconfigs(
  target: string,
  sources: readonly string[],
  current: string,
): void {
  // Written by our own processes a moment ago.
  const parts = sources.map((path) => parse(readFileSync(path, 'utf8')) as Kubeconfig);
  const merged = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': current,
    clusters: parts.flatMap(({ clusters }) => clusters ?? []),
    users: parts.flatMap(({ users }) => users ?? []),
    contexts: parts.flatMap(({ contexts }) => contexts ?? []),
  };
  writeWhole(target, stringify(merged));
}
