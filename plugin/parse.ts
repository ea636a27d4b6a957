// From arguments to a command with its values, or to what is wrong with them. Pure.
//
// Flags may stand anywhere, as with kubectl: `--name value`, `--name=value`, `-o json`, `-ojson`;
// `--` ends them.

import { commonFlags, type Command, type Flag, type FlagValues } from './command.ts';

export type Parsed =
  | {
      readonly kind: 'run';
      readonly command: Command;
      readonly args: readonly string[];
      readonly flags: FlagValues;
    }
  /** Of one command, or of all under these words. */
  | {
      readonly kind: 'help';
      readonly command: Command | undefined;
      readonly words: readonly string[];
    }
  | { readonly kind: 'error'; readonly message: string };

export function parseArguments(commands: readonly Command[], argv: readonly string[]): Parsed {
  const words = wordsOf(commands, argv);
  const command = findCommand(commands, words);
  const isHelp = argv.some((text) => text === '--help' || text === '-h');
  if (command === undefined) return toNoCommand(commands, words, isHelp || argv.length === 0);
  if (isHelp) return { kind: 'help', command, words };
  const read = readAll([...command.flags, ...commonFlags], argv);
  if (typeof read === 'string') return { kind: 'error', message: withHelp(read, command) };
  const args = read.words.slice(command.words.length);
  const wrong = checkArgs(command, args) ?? checkValues(read.given);
  if (wrong !== undefined) return { kind: 'error', message: withHelp(wrong, command) };
  const values = new Map(read.given.map(({ flag, text }) => [flag.name, text]));
  return {
    kind: 'run',
    command,
    args,
    flags: {
      text: (name) => values.get(name),
      isOn: (name) => values.get(name) === 'true',
    },
  };
}

/** The command whose words these begin with, the longest. */
export function findCommand(
  commands: readonly Command[],
  words: readonly string[],
): Command | undefined {
  return commands
    .filter((command) => command.words.every((word, index) => words[index] === word))
    .sort((a, b) => b.words.length - a.words.length)[0];
}

/** Everything that is no flag and no flag's value; flags of all commands are known. */
function wordsOf(commands: readonly Command[], argv: readonly string[]): readonly string[] {
  const flags = [...commands.flatMap((command) => command.flags), ...commonFlags];
  const read = readAll(flags, argv, true);
  return typeof read === 'string' ? [] : read.words;
}

function toNoCommand(
  commands: readonly Command[],
  words: readonly string[],
  isHelp: boolean,
): Parsed {
  const group = commands.filter(({ words: own }) => own.length > 1 && own[0] === words[0]);
  if (isHelp && (words.length === 0 || group.length > 0)) {
    return { kind: 'help', command: undefined, words };
  }
  const [first] = words;
  if (first === undefined) return { kind: 'error', message: `no command is given${seeHelp('')}` };
  if (group.length > 0) {
    const names = group.map((command) => command.words.slice(1).join(' ')).join(', ');
    return { kind: 'error', message: `${first} needs one of: ${names}${seeHelp(first)}` };
  }
  const names = [...new Set(commands.map((command) => command.words[0] ?? ''))];
  const near = names.filter((name) => isNear(first, name));
  const hint = near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`;
  return { kind: 'error', message: `unknown command "${first}"${hint}${seeHelp('')}` };
}

/** Begins alike, or is one letter off. */
function isNear(a: string, b: string): boolean {
  if (a.length > 2 && b.startsWith(a.slice(0, 2))) return true;
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  return Math.max(a.length, b.length) - start - end <= 1;
}

function seeHelp(words: string): string {
  return `\nSee 'kubectl isthmus ${words === '' ? '' : `${words} `}--help'.`;
}

function withHelp(message: string, command: Command): string {
  return `${message}${seeHelp(command.words.join(' '))}`;
}

interface Given {
  readonly flag: Flag;
  readonly text: string;
}

interface Read {
  readonly words: readonly string[];
  readonly given: readonly Given[];
}

/** `isLoose`: what is no known flag is passed over. */
function readAll(flags: readonly Flag[], argv: readonly string[], isLoose = false): Read | string {
  const words: string[] = [];
  const given: Given[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const text = argv[index] ?? '';
    if (text === '--') {
      words.push(...argv.slice(index + 1));
      break;
    }
    if (!text.startsWith('-') || text === '-') {
      words.push(text);
      continue;
    }
    const found = findFlag(flags, text);
    if (found === undefined) {
      if (isLoose) continue;
      return unknownFlag(flags, text);
    }
    let { value } = found;
    if (value === undefined && found.flag.value === undefined) value = 'true';
    if (value === undefined) {
      index += 1;
      value = argv[index];
    }
    if (value === undefined) {
      if (isLoose) continue;
      return `--${found.flag.name} needs a value: ${found.flag.value ?? ''}`;
    }
    given.push({ flag: found.flag, text: value });
  }
  return { words, given };
}

function findFlag(
  flags: readonly Flag[],
  text: string,
): { readonly flag: Flag; readonly value: string | undefined } | undefined {
  if (text.startsWith('--')) {
    const equals = text.indexOf('=');
    const name = text.slice(2, equals < 0 ? undefined : equals);
    const flag = flags.find((each) => each.name === name);
    return flag && { flag, value: equals < 0 ? undefined : text.slice(equals + 1) };
  }
  const flag = flags.find(({ short }) => short !== undefined && text[1] === short);
  if (flag === undefined || (flag.value === undefined && text.length > 2)) return undefined;
  const rest = text.slice(2).replace(/^=/, '');
  return { flag, value: rest === '' ? undefined : rest };
}

function unknownFlag(flags: readonly Flag[], text: string): string {
  const name = text.replace(/^-+/, '').split('=', 1)[0] ?? '';
  const near = flags.filter((flag) => isNear(name, flag.name)).map((flag) => `--${flag.name}`);
  return `unknown flag ${text}${near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`}`;
}

function checkArgs(command: Command, args: readonly string[]): string | undefined {
  const wanted = command.args.map(({ name }) => name);
  const missing = command.args[args.length];
  if (missing !== undefined && missing.isOptional !== true) return `${missing.name} is missing`;
  if (args.length > wanted.length) return `unexpected argument "${args[wanted.length] ?? ''}"`;
  for (const [index, { name, choices }] of command.args.entries()) {
    const text = args[index];
    if (text !== undefined && choices !== undefined && !choices.includes(text)) {
      return `${name}: "${text}" is none of ${choices.join(', ')}`;
    }
  }
  return undefined;
}

function checkValues(given: readonly Given[]): string | undefined {
  const names = given.map(({ flag }) => flag.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `--${twice} is given twice`;
  for (const { flag, text } of given) {
    if (flag.value === undefined && text !== 'true' && text !== 'false') {
      return `--${flag.name}: "${text}" is not true or false`;
    }
    if (flag.choices !== undefined && !flag.choices.includes(text)) {
      return `--${flag.name}: "${text}" is none of ${flag.choices.join(', ')}`;
    }
    if (text === '') return `--${flag.name} is empty`;
  }
  return undefined;
}
