// The project's TypeScript files, parsed once per test file that asks.

import { readdirSync, readFileSync } from 'node:fs';
import { parseSync, Visitor, type Program } from 'oxc-parser';

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly program: Program;
}

const roots = ['build', 'common', 'coordinator', 'agent', 'plugin', 'demo', 'bench', 'test'];

export function listSources(): readonly string[] {
  return roots
    .flatMap((root) =>
      readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => `${root}/${file}`),
    )
    .sort();
}

export function parseSource(path: string, text = readFileSync(path, 'utf8')): SourceFile {
  return { path, text, program: parseSync(path, text).program };
}

export interface ImportOf {
  readonly from: string;
  /** As written: relative or a package. */
  readonly specifier: string;
  readonly isTypeOnly: boolean;
}

export function importsOf(source: SourceFile): readonly ImportOf[] {
  const found: ImportOf[] = [];
  const add = (specifier: string, isTypeOnly: boolean): void => {
    found.push({ from: source.path, specifier, isTypeOnly });
  };
  new Visitor({
    ImportDeclaration: (node) => add(node.source.value, node.importKind === 'type'),
    ExportNamedDeclaration: (node) => {
      if (node.source !== null) add(node.source.value, node.exportKind === 'type');
    },
    ExportAllDeclaration: (node) => add(node.source.value, node.exportKind === 'type'),
    ImportExpression: (node) => {
      if (node.source.type === 'Literal' && typeof node.source.value === 'string') {
        add(node.source.value, false);
      }
    },
  }).visit(source.program);
  return found;
}

export function lineOf(source: SourceFile, offset: number): number {
  return source.text.slice(0, offset).split('\n').length;
}
