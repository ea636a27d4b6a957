// The texts of --help, from the commands themselves. Pure.

import { commonFlags, type Command, type Flag } from './command.ts';

export function toHelp(
  commands: readonly Command[],
  command: Command | undefined,
  words: readonly string[],
): string {
  return command === undefined ? toOverview(commands, words) : toCommandHelp(command);
}

function toOverview(commands: readonly Command[], words: readonly string[]): string {
  const [group] = words;
  const shown =
    group === undefined ? commands : commands.filter(({ words: own }) => own[0] === group);
  const rows = shown.map((command): readonly [string, string] => [
    usageOf(command),
    command.summary,
  ]);
  const head =
    group === undefined
      ? [
          'kubectl isthmus runs a federation of Kubernetes Services: who is in it, and why things are',
          'as they are. Everything else is plain kubectl against the federation.',
        ]
      : [`kubectl isthmus ${group}`];
  return [
    ...head,
    '',
    'Commands:',
    ...toRows(rows),
    '',
    'Flags of every command:',
    ...toRows(commonFlags.map(toFlagRow)),
    '',
    "See 'kubectl isthmus COMMAND --help' for its flags and examples. Exit codes: 0 done, 1 not done,",
    '2 the command line cannot be meant.',
    '',
  ].join('\n');
}

function usageOf({ words, args }: Command): string {
  const shown = args.map(({ name, isOptional }) => (isOptional === true ? `[${name}]` : name));
  return [...words, ...shown].join(' ');
}

function toCommandHelp(command: Command): string {
  const { summary, details = [], flags, examples } = command;
  const own = new Set(flags.map(({ name }) => name));
  const common = commonFlags.filter(({ name }) => !own.has(name));
  return [
    summary,
    ...details.flatMap((text) => ['', ...wrap(text)]),
    '',
    `Usage: kubectl isthmus ${usageOf(command)} [flags]`,
    '',
    'Examples:',
    ...examples.flatMap(({ says, line }) => [`  # ${says}`, `  ${line}`]),
    '',
    ...(flags.length === 0 ? [] : ['Flags:', ...toRows(flags.map(toFlagRow)), '']),
    'Flags of every command:',
    ...toRows(common.map(toFlagRow)),
    '',
  ].join('\n');
}

function toFlagRow({ name, short, value, description }: Flag): readonly [string, string] {
  const shown = short === undefined ? `--${name}` : `-${short}, --${name}`;
  return [value === undefined ? shown : `${shown} ${value}`, description];
}

const widthMax = 100;
const columnMax = 34;

function toRows(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.min(columnMax, Math.max(...rows.map(([left]) => left.length))) + 2;
  return rows.flatMap(([left, right]) => {
    const [first = '', ...rest] = wrap(right, widthMax - width - 2);
    const indent = ' '.repeat(width + 2);
    if (left.length + 2 > width) return [`  ${left}`, `${indent}${first}`, ...rest.map(indented)];
    return [`  ${left.padEnd(width)}${first}`, ...rest.map(indented)];
    function indented(text: string): string {
      return `${indent}${text}`;
    }
  });
}

function wrap(text: string, width = widthMax): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
