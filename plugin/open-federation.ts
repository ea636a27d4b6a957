// From a kubeconfig and a context to the federation.

import { invalidKubeconfig } from '../common/pure/kubeconfig-choice.ts';
import type { Chance } from '../common/runtime/chance.ts';
import { systemClock } from '../common/runtime/clock.ts';
import { toEndpoint } from '../common/runtime/kubeconfig.ts';
import { keepTokens } from '../common/runtime/kubeconfig-tokens.ts';
import { describeError } from '../common/runtime/log.ts';
import { connectFederation, type Federation } from './federation.ts';
import type { Io } from './io.ts';
import { chooseFrom, readKubeconfig } from './kubeconfig-files.ts';

export function openFederation(
  { io, chance }: { readonly io: Io; readonly chance: Chance },
  options: {
    readonly kubeconfig: string | undefined;
    readonly context: string | undefined;
    readonly timeoutMs: number;
    readonly userAgent: string;
  },
): Federation {
  const { kubeconfig, context, timeoutMs, userAgent } = options;
  const file = readKubeconfig(io, kubeconfig);
  const choice = chooseFrom(file, context);
  if (choice.cluster['proxy-url'] !== undefined) {
    throw invalidKubeconfig(
      `${file.path}: ${choice.clusterField}.proxy-url is not supported: name a server that is ` +
        'reached without it',
    );
  }
  const { env, isInteractive } = io;
  const user = choice.context.user ?? '';
  const endpoint = toEndpoint(choice, file.path, {
    env,
    isInteractive,
    onRefresh: (tokens) =>
      keepTokens({ path: file.fileOf(user) ?? '', user }, tokens).catch((error: unknown) => {
        io.say(`Warning: new tokens of user "${user}" are not kept: ${describeError(error)}`);
      }),
  });
  return connectFederation({
    endpoint: { ...endpoint, userAgent },
    contextName: choice.contextName,
    namespace: choice.context.namespace ?? 'default',
    timeoutMs,
    onWarning: (text) => io.say(`Warning: ${text}`),
    clock: systemClock,
    chance,
  });
}
