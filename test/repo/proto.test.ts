import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';

/** Lines of declarations without a comment on the line above. */
function findUncommented(text: string): readonly string[] {
  const lines = text.split('\n');
  const declaration = /^\s*(message|service|rpc|enum|repeated\s|optional\s|[\w.]+\s+\w+\s*=\s*\d+)/;
  return lines.filter((line, index) => {
    if (!declaration.test(line)) return false;
    return !(lines[index - 1] ?? '').trim().startsWith('//');
  });
}

for (const file of readdirSync('proto').filter((name) => name.endsWith('.proto'))) {
  test(`every message and field of proto/${file} has a comment`, (t) => {
    t.deepEqual(findUncommented(readFileSync(`proto/${file}`, 'utf8')), []);
  });
}

test('the proto check catches a field without a comment', (t) => {
  const text =
    '// A message.\nmessage A {\n  // Named.\n  string a = 1;\n  uint32 b = 2;\n  repeated string c = 3;\n}\n';
  t.deepEqual(findUncommented(text), ['  uint32 b = 2;', '  repeated string c = 3;']);
});
