// The user's own kubectl, run as the guide says. Adapter (child process).

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../common/runtime/clock.ts';
import { StepFailure } from './step.ts';

export interface Kubectl {
  /** Standard output; throws StepFailure with what kubectl printed when it fails. */
  run(context: string, args: readonly string[], input?: string): Promise<string>;
}

const deadlineMs = 40_000;
// The guide names its manifest relative to the package.
const packageDir = fileURLToPath(new URL('../../../', import.meta.url));
const outputBytesMax = 4 << 20;

export function createKubectl(options: {
  readonly kubeconfig: string;
  /** Folder for kubectl's discovery cache: ports change between runs, so it is the demo's own. */
  readonly cacheDir: string;
  readonly clock: Clock;
}): Kubectl {
  const env = { ...process.env, KUBECONFIG: options.kubeconfig, KUBECACHEDIR: options.cacheDir };
  return {
    run: async (context, args, input = '') => {
      const all = [`--context=${context}`, ...args];
      const { code, output, errors } = await runProgram('kubectl', all, {
        env,
        input,
        clock: options.clock,
      });
      if (code === 0) return output;
      throw new StepFailure(
        `kubectl ${all.join(' ')}: ${(errors === '' ? output : errors).trim()}`,
      );
    },
  };
}

function runProgram(
  command: string,
  args: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly input: string; readonly clock: Clock },
): Promise<{ readonly code: number; readonly output: string; readonly errors: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: packageDir,
      env: options.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const timer = options.clock.after(deadlineMs, () => child.kill('SIGKILL'));
    const texts = { output: '', errors: '' };
    const keep = (into: 'output' | 'errors') => (chunk: string) => {
      if (texts[into].length < outputBytesMax) texts[into] += chunk;
    };
    child.stdout.setEncoding('utf8').on('data', keep('output'));
    child.stderr.setEncoding('utf8').on('data', keep('errors'));
    child.stdin.on('error', () => undefined); // it did not want the input
    child.stdin.end(options.input);
    child.once('error', (error) => {
      timer.cancel();
      reject(new StepFailure(`cannot run kubectl: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      timer.cancel();
      const why = signal === null ? '' : `ended by ${signal}`;
      resolve({ code: code ?? 1, output: texts.output, errors: texts.errors + why });
    });
  });
}
