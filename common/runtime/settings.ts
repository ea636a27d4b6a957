// Settings of a program, from three places: flags, ISTHMUS_* environment variables, and a YAML
// file, in that order of strength. One table describes them all, so that help, parsing and
// errors cannot disagree. An unknown setting, wherever it stands, is an error that names it.

import { readFileSync } from 'node:fs';
import { parseShell, shells, toCompletion, type Shell } from './completion.ts';
import { loadYaml } from './lazy-yaml.ts';

export interface Setting {
  /** Flag name without dashes, kebab-case; the YAML key; ISTHMUS_UPPER_SNAKE in the environment. */
  readonly name: string;
  readonly kind: 'text' | 'number' | 'switch' | 'list' | 'address' | 'choice';
  readonly description: string;
  /** Shown in help; used when the setting is absent. */
  readonly default?: string;
  readonly choices?: readonly string[];
  /** Smallest and largest number. */
  readonly min?: number;
  readonly max?: number;
}

/** What every program of ours takes. */
export const processSettings: readonly Setting[] = [
  {
    name: 'log-level',
    kind: 'choice',
    choices: ['error', 'warn', 'info', 'debug'],
    default: 'info',
    description: 'Least serious log line.',
  },
  {
    name: 'log-format',
    kind: 'choice',
    choices: ['json', 'pretty'],
    default: 'json',
    description: 'Form of the log on stderr.',
  },
  { name: 'config', kind: 'text', description: 'YAML file with any of these settings.' },
];

export interface Program {
  readonly name: string;
  readonly summary: string;
  readonly version: string;
  readonly settings: readonly Setting[];
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface SettingValues {
  text(name: string): string | undefined;
  number(name: string): number | undefined;
  isOn(name: string): boolean;
  list(name: string): readonly string[];
  address(name: string): Address | undefined;
}

export type SettingsOutcome =
  | { readonly kind: 'run'; readonly values: SettingValues }
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'error'; readonly message: string };

interface Given {
  readonly text: string;
  /** `--flag`, `ISTHMUS_FLAG` or `FILE: key`, for errors. */
  readonly source: string;
}

class SettingsError extends Error {}

/** Reads everything once; never exits the process and never prints. */
export function readSettings(
  program: Program,
  input: {
    readonly argv: readonly string[];
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly readFile?: (path: string) => string;
  },
): SettingsOutcome {
  try {
    const known = new Map(program.settings.map((setting) => [setting.name, setting]));
    const flags = readFlags(program, known, input.argv);
    if (flags === 'help') return { kind: 'print', text: toHelp(program) };
    if (flags === 'version') return { kind: 'print', text: `${program.name} ${program.version}\n` };
    if ('shell' in flags) return { kind: 'print', text: toCompletion(program, flags.shell) };
    const environment = readEnvironment(known, input.env);
    const path = flags.get('config')?.text ?? environment.get('config')?.text;
    const file =
      path === undefined ? new Map<string, Given>() : readYaml(known, path, input.readFile);
    return { kind: 'run', values: toValues(known, new Map([...file, ...environment, ...flags])) };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return { kind: 'error', message: `${error.message}\nSee '${program.name} --help'.` };
  }
}

function readFlags(
  program: Program,
  known: ReadonlyMap<string, Setting>,
  argv: readonly string[],
): Map<string, Given> | 'help' | 'version' | { readonly shell: Shell } {
  const given = new Map<string, Given>();
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? '';
    if (argument === '--help' || argument === '-h') return 'help';
    if (argument === '--version') return 'version';
    if (argument === '--completion') {
      const shell = parseShell(argv[index + 1]);
      if (shell !== undefined) return { shell };
      throw new SettingsError(`--completion needs ${shells.join(', ')}`);
    }
    if (!argument.startsWith('--')) {
      throw new SettingsError(
        `unexpected argument "${argument}": ${program.name} takes only --options`,
      );
    }
    const equals = argument.indexOf('=');
    const name = argument.slice(2, equals < 0 ? undefined : equals);
    const setting = known.get(name);
    if (setting === undefined) throw new SettingsError(unknownSetting(`--${name}`, name, known));
    let text = equals < 0 ? undefined : argument.slice(equals + 1);
    if (text === undefined && setting.kind === 'switch') text = 'true';
    if (text === undefined) {
      index += 1;
      text = argv[index];
    }
    if (text === undefined) throw new SettingsError(`--${name} needs a value`);
    addGiven(given, setting, { text, source: `--${name}` });
  }
  return given;
}

function addGiven(given: Map<string, Given>, setting: Setting, next: Given): void {
  const earlier = given.get(setting.name);
  if (earlier !== undefined && setting.kind !== 'list') {
    throw new SettingsError(`${next.source} is given twice`);
  }
  const text = earlier === undefined ? next.text : `${earlier.text},${next.text}`;
  given.set(setting.name, { text, source: next.source });
}

// Kubernetes tells each Pod of the Services in its namespace by such variables; those of a Service
// named isthmus, or isthmus-anything, look like settings and are none of ours.
const serviceVariable =
  /^ISTHMUS(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

function readEnvironment(
  known: ReadonlyMap<string, Setting>,
  env: Readonly<Record<string, string | undefined>>,
): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('ISTHMUS_') || text === undefined) continue;
    const name = variable.slice('ISTHMUS_'.length).toLowerCase().replaceAll('_', '-');
    if (!known.has(name)) {
      if (serviceVariable.test(variable)) continue;
      throw new SettingsError(unknownSetting(variable, name, known));
    }
    given.set(name, { text, source: variable });
  }
  return given;
}

function readYaml(
  known: ReadonlyMap<string, Setting>,
  path: string,
  readFile = (file: string): string => readFileSync(file, 'utf8'),
): Map<string, Given> {
  let document: unknown;
  try {
    document = loadYaml().parse(readFile(path)) ?? {};
  } catch (error) {
    throw new SettingsError(`cannot read the configuration ${path}: ${(error as Error).message}`);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new SettingsError(
      `${path}: expected a mapping of settings, such as "domain: example.com"`,
    );
  }
  const given = new Map<string, Given>();
  for (const [name, value] of Object.entries(document)) {
    const source = `${path}: ${name}`;
    if (!known.has(name) || name === 'config') {
      throw new SettingsError(unknownSetting(source, name, known));
    }
    given.set(name, { text: Array.isArray(value) ? value.join(',') : String(value), source });
  }
  return given;
}

function unknownSetting(source: string, name: string, known: ReadonlyMap<string, Setting>): string {
  const near = [...known.keys()].filter((other) => isNear(name, other));
  const hint = near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`;
  return `unknown setting ${source}${hint}`;
}

/** One edit apart, or one contains the other: enough to catch a slip of the hand. */
function isNear(a: string, b: string): boolean {
  if (a.length > 3 && (a.includes(b) || b.includes(a))) return true;
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  return Math.max(a.length, b.length) - start - end <= 1;
}

function toValues(
  known: ReadonlyMap<string, Setting>,
  given: ReadonlyMap<string, Given>,
): SettingValues {
  for (const [name, value] of given) checkValue(known.get(name), value);
  const raw = (name: string): string | undefined =>
    given.get(name)?.text ?? known.get(name)?.default;
  return {
    text: raw,
    number: (name) => {
      const text = raw(name);
      return text === undefined ? undefined : Number(text);
    },
    isOn: (name) => raw(name) === 'true',
    list: (name) => splitList(raw(name)),
    address: (name) => {
      const text = raw(name);
      return text === undefined ? undefined : parseListenAddress(text);
    },
  };
}

function checkValue(setting: Setting | undefined, { text, source }: Given): void {
  if (setting === undefined) return;
  const fail = (expected: string): never => {
    throw new SettingsError(`${source}: "${text}" is not ${expected}`);
  };
  if (setting.kind === 'number') {
    const { min = -Infinity, max = Infinity } = setting;
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max))
      fail(`a number from ${min} to ${max}`);
  }
  if (setting.kind === 'switch' && text !== 'true' && text !== 'false') fail('true or false');
  if (setting.kind === 'address' && parseListenAddress(text) === undefined) {
    fail('host:port, such as 127.0.0.1:6443 or [::1]:0');
  }
  if (setting.kind === 'choice' && setting.choices?.includes(text) !== true) {
    fail(`one of ${setting.choices?.join(', ') ?? ''}`);
  }
}

function splitList(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** `host:port` with an IPv6 host in brackets; undefined when it is not that. Port 0 is any. */
export function parseListenAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  const host = match[1] ?? match[2] ?? '';
  return port > 65_535 ? undefined : { host: host === '' ? '0.0.0.0' : host, port };
}

/** `host:port`, with brackets where an IPv6 host needs them. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function toHelp(program: Program): string {
  const rows = program.settings.map((setting) => ({
    flag: toFlag(setting),
    text: toText(setting),
  }));
  const fixed = [
    { flag: '--help', text: 'Prints this and exits.' },
    { flag: '--version', text: 'Prints the version and exits.' },
    { flag: `--completion ${shells.join('|')}`, text: 'Prints a completion script and exits.' },
  ];
  const all = [...rows, ...fixed];
  const width = Math.max(...all.map(({ flag }) => flag.length)) + 2;
  const lines = all.map(({ flag, text }) => `  ${flag.padEnd(width)}${text}`);
  return [
    `${program.name}: ${program.summary}`,
    '',
    `Usage: ${program.name} [--option VALUE ...]`,
    '',
    ...lines,
    '',
    'Each option may also stand in the YAML file of --config, under its name without dashes, or',
    'in the environment as ISTHMUS_ and its name in capitals (ISTHMUS_DATA_DIR). Flags win over',
    'the environment, the environment over the file. Addresses are host:port; port 0 is any.',
    '',
  ].join('\n');
}

function toFlag(setting: Setting): string {
  const value = {
    switch: '',
    number: ' N',
    text: ' TEXT',
    list: ' A,B',
    address: ' HOST:PORT',
    choice: ` ${(setting.choices ?? []).join('|')}`,
  }[setting.kind];
  return `--${setting.name}${value}`;
}

function toText(setting: Setting): string {
  return setting.default === undefined || setting.kind === 'switch'
    ? setting.description
    : `${setting.description} Default ${setting.default}.`;
}
