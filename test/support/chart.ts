// The project's charts as Helm renders them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import { peerPath } from './find-peer.ts';
import { runProgram, type Ran } from './run-program.ts';

export interface RenderedObject extends KubeObject {
  readonly spec?: JsonObject;
  readonly rules?: readonly JsonObject[];
  readonly data?: JsonObject;
}

/** Helm in a folder of its own. Values as `--set` takes them. */
export interface Helm {
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ran>;
  /** Throws with what Helm says. */
  template(chart: string, values: readonly string[]): Promise<readonly RenderedObject[]>;
  close(): void;
}

export const chartNamespace = 'isthmus-system';

export function openHelm(peer: string): Helm {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-chart-'));
  const own = {
    HELM_NAMESPACE: chartNamespace,
    HELM_CACHE_HOME: join(folder, 'cache'),
    HELM_CONFIG_HOME: join(folder, 'config'),
    HELM_DATA_HOME: join(folder, 'data'),
    KUBECACHEDIR: join(folder, 'kubectl'),
    HOME: folder,
  };
  const run: Helm['run'] = (args, env = {}) =>
    runProgram(peerPath(peer), args, { env: { ...own, ...env } });
  return {
    run,
    template: async (chart, values) => {
      const name = `isthmus-${chart}`;
      const args = ['template', name, `charts/${chart}`, '--kube-version=1.34.0'];
      const ran = await run([...args, ...values.map((value) => `--set=${value}`)]);
      if (ran.code !== 0) throw new Error(ran.errors);
      return parseAllDocuments(ran.output)
        .map((document): unknown => document.toJS())
        .flatMap((object) => (object === null ? [] : [object as RenderedObject]));
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
