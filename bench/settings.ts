// What every bench has in common: a name, settings with their help, and a measurement. Adding a
// bench is one file with its BenchDefinition, and its line in main.ts. Pure.

import {
  readSettings,
  type Program,
  type Setting,
  type SettingValues,
} from '../common/runtime/settings.ts';
import type { BenchContext } from './context.ts';
import type { Report } from './report.ts';

export interface BenchDefinition {
  /** `npm run bench -- NAME`. */
  readonly name: string;
  /** One line for the list of benches. */
  readonly summary: string;
  readonly settings: readonly Setting[];
  readonly measure: (values: SettingValues, context: BenchContext) => Promise<Report>;
}

export type BenchCommand =
  | {
      readonly kind: 'run';
      readonly bench: BenchDefinition;
      readonly values: SettingValues;
      readonly isJson: boolean;
    }
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'error'; readonly message: string };

const json: Setting = {
  name: 'json',
  kind: 'switch',
  default: 'false',
  description: 'Print one JSON object instead of a table.',
};

export function toNumberSetting(
  name: string,
  byDefault: number,
  [min, max]: readonly [number, number],
  description: string,
): Setting {
  return { name, kind: 'number', default: String(byDefault), min, max, description };
}

export function parseBenchCommand(
  argv: readonly string[],
  version: string,
  benches: readonly BenchDefinition[],
): BenchCommand {
  const [name, ...rest] = argv;
  const usage = toUsage(benches);
  if (name === undefined || name === '--help' || name === '-h')
    return { kind: 'print', text: usage };
  const bench = benches.find((each) => each.name === name);
  if (bench === undefined) return { kind: 'error', message: `unknown bench "${name}"\n\n${usage}` };
  const outcome = readSettings(toProgram(bench, version), { argv: rest, env: {} });
  if (outcome.kind !== 'run') return outcome;
  const { values } = outcome;
  return { kind: 'run', bench, values, isJson: values.isOn('json') };
}

function toUsage(benches: readonly BenchDefinition[]): string {
  const lines = benches.map(
    ({ name, summary }) => `npm run bench -- ${name} [--options]\n  ${summary}\n`,
  );
  return `${lines.join('')}
Each has its own --help. All need nats-server on PATH.
`;
}

function toProgram({ name, summary, settings }: BenchDefinition, version: string): Program {
  return { name: `npm run bench -- ${name}`, summary, version, settings: [...settings, json] };
}
