// Shell completion scripts, made from the same table as help and parsing.

import type { Program, Setting } from './settings.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

export function parseShell(text: string | undefined): Shell | undefined {
  return shells.find((shell) => shell === text);
}

/** A script to be sourced: `source <(PROGRAM --completion bash)`. */
export function toCompletion(program: Program, shell: Shell): string {
  switch (shell) {
    case 'bash':
      return toBash(program);
    case 'zsh':
      return toZsh(program);
    case 'fish':
      return toFish(program);
  }
}

function flagsOf({ settings }: Program): readonly string[] {
  return [...settings.map(({ name }) => `--${name}`), '--help', '--version', '--completion'];
}

function isFile({ name }: Setting): boolean {
  return /(^|-)(file|config|kubeconfig|dir|tokens|server)$/.test(name);
}

function toBash(program: Program): string {
  const choices = program.settings
    .filter(({ choices: given }) => given !== undefined)
    .map(({ name, choices: given = [] }) => `    --${name}) options="${given.join(' ')}" ;;`);
  const files = program.settings.filter(isFile).map(({ name }) => `--${name}`);
  return [
    `_${toIdentifier(program.name)}() {`,
    '  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}',
    `  local options="${flagsOf(program).join(' ')}"`,
    '  case $previous in',
    ...choices,
    `    --completion) options="${shells.join(' ')}" ;;`,
    ...(files.length === 0
      ? []
      : [`    ${files.join('|')}) COMPREPLY=($(compgen -f -- "$word")); return ;;`]),
    '  esac',
    '  COMPREPLY=($(compgen -W "$options" -- "$word"))',
    '}',
    `complete -F _${toIdentifier(program.name)} ${program.name}`,
    '',
  ].join('\n');
}

function toZsh(program: Program): string {
  const lines = program.settings.map((setting) => {
    const text = setting.description.replaceAll(/['[\]:]/g, '');
    if (setting.kind === 'switch') return `  '--${setting.name}[${text}]'`;
    const action =
      setting.choices === undefined
        ? isFile(setting)
          ? '_files'
          : ''
        : `(${setting.choices.join(' ')})`;
    return `  '--${setting.name}[${text}]:value:${action}'`;
  });
  return [
    `#compdef ${program.name}`,
    `_${toIdentifier(program.name)}() { _arguments \\`,
    ...[...lines, "  '--help[Prints help]'", "  '--version[Prints the version]'"].map(
      (line) => `${line} \\`,
    ),
    `  '--completion[Prints a completion script]:shell:(${shells.join(' ')})'`,
    '}',
    `compdef _${toIdentifier(program.name)} ${program.name}`,
    '',
  ].join('\n');
}

function toFish(program: Program): string {
  const lines = program.settings.map((setting) => {
    const text = setting.description.replaceAll("'", '');
    const takes = setting.kind === 'switch' ? '' : isFile(setting) ? ' -rF' : ' -x';
    const choices = setting.choices === undefined ? '' : ` -a '${setting.choices.join(' ')}'`;
    return `complete -c ${program.name} -l ${setting.name}${takes}${choices} -d '${text}'`;
  });
  return [
    `complete -c ${program.name} -f`,
    ...lines,
    `complete -c ${program.name} -l help -d 'Prints help'`,
    `complete -c ${program.name} -l version -d 'Prints the version'`,
    `complete -c ${program.name} -l completion -x -a '${shells.join(' ')}' -d 'Prints a completion script'`,
    '',
  ].join('\n');
}

function toIdentifier(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9]/g, '_');
}
