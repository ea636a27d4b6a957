// What fits at the end of a command line: words of commands, flags, choices, and names that the
// federation knows.
//
// Input: the arguments, of which the last is what has been typed of the next. Output: what fits,
// and whether file names fit too.

import { systemChance } from '../common/runtime/chance.ts';
import { commonFlags, type Command, type Completes, type Flag } from './command.ts';
import type { Federation } from './federation.ts';
import { isthmus } from './federation.ts';
import type { Io } from './io.ts';
import { contextNames, readKubeconfig } from './kubeconfig-files.ts';
import { findCommand } from './parse.ts';
import { clustersPath } from './commands/clusters.ts';
import { unclaimedPath } from './commands/unclaimed.ts';
import { openFederation } from './open-federation.ts';
import { textAt } from './output.ts';

export interface Completion {
  /** A word each, with a tab and a description where there is one. */
  readonly lines: readonly string[];
  readonly isFile: boolean;
}

// A person waits between two keys: a federation that is far away completes nothing.
const timeoutMs = 2_000;

export async function complete(
  commands: readonly Command[],
  argv: readonly string[],
  io: Io,
): Promise<Completion> {
  const before = argv.slice(0, -1);
  const typed = argv.at(-1) ?? '';
  const command = findCommand(commands, wordsBefore(commands, before));
  const flags = [...(command?.flags ?? []), ...commonFlags];
  const open = flagThatWaits(flags, before);
  if (open !== undefined) return offer({ ...open, typed, before, flags, io });
  if (typed.startsWith('--') && typed.includes('=')) {
    const name = typed.slice(2, typed.indexOf('='));
    const flag = flags.find((each) => each.name === name);
    const value = typed.slice(typed.indexOf('=') + 1);
    const found = await offer({ ...flag, typed: value, before, flags, io });
    return { ...found, lines: found.lines.map((line) => `--${name}=${line}`) };
  }
  if (typed.startsWith('-')) return only(flags.map(toFlagLine), typed);
  const words = wordsBefore(commands, before);
  if (command === undefined) return only(nextWords(commands, words), typed);
  const argument = command.args[words.length - command.words.length];
  if (argument === undefined) return only([], typed);
  return offer({ ...argument, typed, before, flags, io });
}

function only(lines: readonly string[], typed: string): Completion {
  return { lines: lines.filter((line) => line.startsWith(typed)), isFile: false };
}

function toFlagLine({ name, description }: Flag): string {
  return `--${name}\t${description}`;
}

/** The next word of commands whose first ones these are, each once. */
function nextWords(commands: readonly Command[], words: readonly string[]): readonly string[] {
  const fitting = commands.filter((command) =>
    words.every((word, index) => command.words[index] === word),
  );
  const lines = fitting.map((command) => {
    const next = command.words[words.length] ?? '';
    const isLast = command.words.length === words.length + 1;
    return isLast ? `${next}\t${command.summary}` : next;
  });
  return [...new Set(lines)].filter((line) => line !== '');
}

function wordsBefore(commands: readonly Command[], before: readonly string[]): readonly string[] {
  const flags = [...commands.flatMap((command) => command.flags), ...commonFlags];
  return before.filter(
    (text, index) =>
      !text.startsWith('-') && flagThatWaits(flags, before.slice(0, index)) === undefined,
  );
}

/** The flag whose value comes next. */
function flagThatWaits(flags: readonly Flag[], before: readonly string[]): Flag | undefined {
  const last = before.at(-1) ?? '';
  if (!last.startsWith('-') || last.includes('=')) return undefined;
  return flags.find(
    ({ name, short, value }) =>
      value !== undefined &&
      (last === `--${name}` || (short !== undefined && last === `-${short}`)),
  );
}

interface Offered {
  readonly choices?: readonly string[];
  readonly completes?: Completes;
  readonly typed: string;
  readonly before: readonly string[];
  readonly flags: readonly Flag[];
  readonly io: Io;
}

async function offer(of: Offered): Promise<Completion> {
  if (of.choices !== undefined) return only(of.choices, of.typed);
  if (of.completes === undefined) return only([], of.typed);
  if (of.completes === 'files') return { lines: [], isFile: true };
  try {
    return only(await namesOf(of, of.completes), of.typed);
  } catch {
    return only([], of.typed); // no federation, no names: a completion says no errors
  }
}

async function namesOf(of: Offered, what: Exclude<Completes, 'files'>): Promise<readonly string[]> {
  const valueOf = (name: string): string | undefined => {
    const at = of.before.findIndex((text) => text === `--${name}`);
    const joined = of.before.find((text) => text.startsWith(`--${name}=`));
    return at < 0 ? joined?.slice(name.length + 3) : of.before[at + 1];
  };
  const kubeconfig = valueOf('federation-kubeconfig') ?? valueOf('kubeconfig');
  if (what === 'contexts') return contextNames(readKubeconfig(of.io, kubeconfig));
  const federation = openFederation(
    { io: { ...of.io, isInteractive: false }, chance: systemChance },
    {
      kubeconfig,
      context: valueOf('federation-context') ?? valueOf('context'),
      timeoutMs,
      userAgent: 'kubectl_complete-isthmus',
    },
  );
  try {
    return await readNames(federation, what, valueOf('namespace'));
  } finally {
    federation.close();
  }
}

async function readNames(
  federation: Federation,
  what: Exclude<Completes, 'files' | 'contexts'>,
  namespace: string | undefined,
): Promise<readonly string[]> {
  const space = encodeURIComponent(namespace ?? federation.namespace);
  const paths = {
    clusters: clustersPath,
    services: `/api/v1/namespaces/${space}/services`,
    namespaces: '/api/v1/namespaces',
    tokens: `${isthmus}/jointokens`,
    unclaimed: unclaimedPath,
    dnszones: `${isthmus}/dnszones`,
    dnsNames: `${isthmus}/namespaces/${space}/dnsrecordsets`,
  };
  const found = await federation.list(paths[what]);
  if (what !== 'dnsNames') return found.map(({ metadata }) => metadata.name);
  return [...new Set(found.map((record) => textAt(record, 'spec', 'dnsName')))];
}
