// One run of kubectl-isthmus: arguments in, exit code out.

import { MeshError } from '../common/pure/errors.ts';
import type { Chance } from '../common/runtime/chance.ts';
import { describeError } from '../common/runtime/log.ts';
import {
  exitFailed,
  exitOk,
  exitUsage,
  UsageError,
  type Command,
  type FlagValues,
} from './command.ts';
import type { Federation } from './federation.ts';
import { toHelp } from './help.ts';
import type { Io } from './io.ts';
import { openFederation } from './open-federation.ts';
import { parseArguments } from './parse.ts';
import { readDuration } from './read-flags.ts';

const timeoutDefaultSeconds = 30;

export async function runPlugin(of: {
  readonly commands: readonly Command[];
  readonly argv: readonly string[];
  readonly io: Io;
  readonly chance: Chance;
  readonly version: string;
}): Promise<number> {
  const { commands, argv, io, version } = of;
  const parsed = parseArguments(commands, argv);
  if (parsed.kind === 'help') {
    io.out(toHelp(commands, parsed.command, parsed.words));
    return exitOk;
  }
  if (parsed.kind === 'error') return fail(io, parsed.message, exitUsage);
  const { command, args, flags } = parsed;
  let opened: Federation | undefined;
  const federation = (): Federation => (opened ??= open(of, command, flags));
  try {
    return await command.run({ args, flags, io, federation, version });
  } catch (error) {
    if (error instanceof UsageError) {
      const see = `See 'kubectl isthmus ${command.words.join(' ')} --help'.`;
      return fail(io, `${error.message}\n${see}`, exitUsage);
    }
    if (error instanceof MeshError) return fail(io, describeError(error), exitFailed);
    throw error;
  } finally {
    opened?.close();
  }
}

function fail(io: Io, message: string, code: number): number {
  io.say(`error: ${message}`);
  return code;
}

function open(
  { io, chance, version }: { readonly io: Io; readonly chance: Chance; readonly version: string },
  command: Command,
  flags: FlagValues,
): Federation {
  // In `join --kubeconfig` these two are the member cluster's.
  const isMembers =
    command.flags.some(({ name }) => name === 'kubeconfig') &&
    flags.text('kubeconfig') !== undefined;
  const own = (name: string): string | undefined => (isMembers ? undefined : flags.text(name));
  const timeoutSeconds = readDuration(flags, 'request-timeout', timeoutDefaultSeconds);
  return openFederation(
    { io, chance },
    {
      kubeconfig: flags.text('federation-kubeconfig') ?? own('kubeconfig'),
      context: flags.text('federation-context') ?? own('context'),
      timeoutMs: timeoutSeconds * 1000,
      userAgent: `kubectl-isthmus/${version}`,
    },
  );
}
