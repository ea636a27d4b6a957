// What a command of kubectl-isthmus is: one value from which help, parsing and completion come, so
// that they cannot disagree.

import type { Federation } from './federation.ts';
import type { Io } from './io.ts';

/** What a shell may offer for a value. */
export type Completes =
  | 'files'
  | 'contexts'
  | 'clusters'
  | 'services'
  | 'namespaces'
  | 'tokens'
  | 'dnszones'
  | 'dnsNames'
  | 'unclaimed';

export interface Flag {
  /** Without dashes. */
  readonly name: string;
  readonly short?: string;
  /** Placeholder of its value, such as `NAME`; absent: a switch. */
  readonly value?: string;
  readonly description: string;
  readonly choices?: readonly string[];
  readonly completes?: Completes;
}

export interface Argument {
  readonly name: string;
  /** May be left out; none behind it may then be given. */
  readonly isOptional?: true;
  readonly choices?: readonly string[];
  readonly completes?: Completes;
}

export interface Example {
  readonly says: string;
  readonly line: string;
}

export interface Command {
  /** Such as `tokens`, `list`. */
  readonly words: readonly string[];
  readonly summary: string;
  /** Paragraphs of its help. */
  readonly details?: readonly string[];
  readonly args: readonly Argument[];
  readonly flags: readonly Flag[];
  readonly examples: readonly Example[];
  /** Resolves with the exit code. Throws UsageError or MeshError. */
  readonly run: (call: Call) => Promise<number>;
}

export interface FlagValues {
  text(name: string): string | undefined;
  isOn(name: string): boolean;
}

export interface Call {
  /** As many as the command has; those that may be left out may be missing at the end. */
  readonly args: readonly string[];
  readonly flags: FlagValues;
  readonly io: Io;
  /** Connects to the federation that the flags and the kubeconfig choose. */
  readonly federation: () => Federation;
  /** Of this program. */
  readonly version: string;
}

/** What the user wrote cannot be meant; the text names it and the way out. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const exitOk = 0;
export const exitFailed = 1;
export const exitUsage = 2;

export const outputFlag: Flag = {
  name: 'output',
  short: 'o',
  value: 'FORMAT',
  description: 'json, yaml or name instead of a table.',
  choices: ['json', 'yaml', 'name'],
};

/** Every command takes them. */
export const commonFlags: readonly Flag[] = [
  {
    name: 'kubeconfig',
    value: 'FILE',
    description: 'Kubeconfig that holds the federation. Default: KUBECONFIG, else ~/.kube/config.',
    completes: 'files',
  },
  {
    name: 'context',
    value: 'NAME',
    description: "The federation's context in it. Default: the current one.",
    completes: 'contexts',
  },
  {
    name: 'federation-kubeconfig',
    value: 'FILE',
    description: 'The same as --kubeconfig, also where that means a member cluster (join).',
    completes: 'files',
  },
  {
    name: 'federation-context',
    value: 'NAME',
    description: 'The same as --context, also where that means a member cluster (join).',
    completes: 'contexts',
  },
  {
    name: 'request-timeout',
    value: 'DURATION',
    description: 'The longest time of one request, such as 30s. Default 30s.',
  },
];
