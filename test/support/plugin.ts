// kubectl with this plugin on its PATH, as an administrator has it, against a mesh of a test.

import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { findProgram } from './programs.ts';
import { runProgram, type Ran } from './run-program.ts';

export interface PluginKubectl {
  /** `kubectl isthmus ARGS`; never throws. */
  isthmus(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Standard output of it; throws with what it said when it fails. */
  ok(args: readonly string[], options?: RunOptions): Promise<string>;
  /** Any program, with the plugin on PATH and the kubeconfig set. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<Ran>;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly withinMs?: number;
}

export function openPlugin(options: {
  /** Folder of the test's own. */
  readonly folder: string;
  readonly kubeconfig: string;
  readonly kubectl?: string;
}): PluginKubectl {
  const bin = join(options.folder, 'plugin-bin');
  mkdirSync(bin, { recursive: true });
  const programs = [
    ['kubectl-isthmus', 'main.js'],
    ['kubectl_complete-isthmus', 'complete-main.js'],
  ] as const;
  for (const [name, file] of programs) {
    const script = resolve('dist/plugin', file);
    chmodSync(script, 0o755); // as npm does with a package's bin
    symlinkSync(script, join(bin, name));
  }
  const env = {
    PATH: [bin, process.env['PATH'] ?? ''].join(delimiter),
    KUBECONFIG: options.kubeconfig,
    KUBECACHEDIR: join(options.folder, 'plugin-cache'),
  };
  const kubectl = options.kubectl ?? findProgram('kubectl') ?? 'kubectl';
  const run: PluginKubectl['run'] = (command, args, more = {}) =>
    runProgram(command, args, { ...more, env: { ...env, ...more.env } });
  const isthmus: PluginKubectl['isthmus'] = (args, more) =>
    run(kubectl, ['isthmus', ...args], more);
  return {
    run,
    isthmus,
    ok: async (args, more) => {
      const { code, output, errors } = await isthmus(args, more);
      if (code === 0) return output;
      throw new Error(`kubectl isthmus ${args.join(' ')}: ${code}: ${errors}${output}`);
    },
  };
}
