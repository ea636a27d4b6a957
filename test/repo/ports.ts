// Time and chance are reached only through their ports; sizes stay within their limits.

import { Visitor } from 'oxc-parser';
import { lineOf, type SourceFile } from './source-files.ts';

const portFiles = new Set([
  'common/runtime/clock.ts',
  'common/runtime/chance.ts',
  'common/runtime/loop-turns.ts',
]);
const timers = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
]);
const members: Readonly<Record<string, ReadonlySet<string>>> = {
  Math: new Set(['random']),
  performance: new Set(['now']),
  process: new Set(['hrtime']),
  crypto: new Set(['randomUUID', 'getRandomValues']),
};
const chanceImports = new Set(['randomBytes', 'randomUUID', 'randomInt', 'randomFillSync']);

/** Product code outside the two port files that touches time or chance itself. */
export function findPortFaults(source: SourceFile): readonly string[] {
  if (portFiles.has(source.path) || /^(test|bench)\//.test(source.path)) return [];
  const faults: string[] = [];
  const report = (offset: number, what: string): void => {
    faults.push(`${source.path}:${lineOf(source, offset)} uses ${what}: take a Clock or a Chance`);
  };
  new Visitor({
    CallExpression: (node) => {
      if (node.callee.type !== 'Identifier') return;
      if (timers.has(node.callee.name)) report(node.start, node.callee.name);
      if (node.callee.name === 'Date') report(node.start, 'Date');
    },
    NewExpression: (node) => {
      if (node.callee.type === 'Identifier' && node.callee.name === 'Date')
        report(node.start, 'new Date');
    },
    MemberExpression: (node) => {
      if (node.object.type !== 'Identifier' || node.property.type !== 'Identifier') return;
      const { name } = node.object;
      if (name === 'Date' || members[name]?.has(node.property.name) === true) {
        report(node.start, `${name}.${node.property.name}`);
      }
    },
    ImportDeclaration: (node) => {
      if (/^(node:)?timers/.test(node.source.value)) report(node.start, node.source.value);
      if (!/^(node:)?crypto$/.test(node.source.value)) return;
      for (const specifier of node.specifiers) {
        if (chanceImports.has(specifier.local.name)) report(node.start, specifier.local.name);
      }
    },
  }).visit(source.program);
  return faults;
}

export const fileLinesMax = 400;
/** A function's own lines: those of functions defined inside it are counted as theirs. */
export const functionLinesMax = 70;

interface Span {
  readonly first: number;
  readonly lines: number;
  inner: number;
}

export function findSizeFaults(source: SourceFile): readonly string[] {
  const faults: string[] = [];
  const lines = source.text.split('\n').length - 1;
  if (lines > fileLinesMax) faults.push(`${source.path} has ${lines} lines: find its seam`);
  const open: Span[] = [];
  const enter = (node: { readonly start: number; readonly end: number }): void => {
    const first = lineOf(source, node.start);
    open.push({ first, lines: lineOf(source, node.end) - first + 1, inner: 0 });
  };
  const leave = (): void => {
    const span = open.pop();
    if (span === undefined) return;
    const outer = open.at(-1);
    if (outer !== undefined) outer.inner += span.lines - 1;
    const own = span.lines - span.inner;
    if (own > functionLinesMax)
      faults.push(`${source.path}:${span.first} is a function of ${own} lines`);
  };
  new Visitor({
    FunctionDeclaration: enter,
    'FunctionDeclaration:exit': leave,
    FunctionExpression: enter,
    'FunctionExpression:exit': leave,
    ArrowFunctionExpression: enter,
    'ArrowFunctionExpression:exit': leave,
  }).visit(source.program);
  return faults;
}
