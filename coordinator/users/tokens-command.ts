// `isthmus-coordinator tokens`: makes lines for the file of --api-tokens.
//
//   tokens make --user NAME [--uid UID] [--groups A,B]   a new token on stderr, its line on stdout
//   tokens hash < FILE                                   a file of plain tokens as one of hashes
//
// The token is said once and nowhere kept; stdout can be appended to the file as it is.

import { formatRow, hashApiTokens } from './api-tokens.ts';

const usage = `isthmus-coordinator tokens: bearer tokens of API users, kept as hashes.

  isthmus-coordinator tokens make --user NAME [--uid UID] [--groups GROUP,GROUP] >> FILE
  isthmus-coordinator tokens hash < PLAIN > FILE

make says the new token on stderr, once, and writes its line to stdout. hash replaces the plain
tokens of a file (token,user,uid,"groups") by their hashes. Name FILE with --api-tokens.
`;

export interface TokensCall {
  readonly argv: readonly string[];
  readonly readInput: () => string;
  /** Unpredictable bytes. */
  readonly bytes: (count: number) => Uint8Array;
  readonly out: (text: string) => void;
  readonly say: (text: string) => void;
}

// 256 bits: more than anybody guesses.
const tokenBytes = 32;
const exitUsage = 2;

/** Returns the exit code. */
export function runTokensCommand(call: TokensCall): number {
  const [action, ...rest] = call.argv;
  if (action === 'hash' && rest.length === 0) return hash(call);
  const options = action === 'make' ? parseOptions(rest) : undefined;
  const user = options?.get('user') ?? '';
  if (options === undefined || user === '') {
    call.say(usage);
    return action === '--help' || action === '-h' ? 0 : exitUsage;
  }
  if (/[,"\s]/.test(user) || /[,"\s]/.test(options.get('uid') ?? '')) {
    call.say('tokens make: a user and a uid hold no comma, quote or blank\n');
    return exitUsage;
  }
  const secret = Buffer.from(call.bytes(tokenBytes)).toString('base64url');
  const groups = (options.get('groups') ?? '').split(',').filter((group) => group !== '');
  call.say(`token of ${user} (it is shown only now): ${secret}\n`);
  call.out(`${formatRow({ secret, user, uid: options.get('uid') ?? '', groups })}\n`);
  return 0;
}

function hash(call: TokensCall): number {
  const hashed = hashApiTokens(call.readInput());
  if (typeof hashed === 'string') {
    call.say(`tokens hash: ${hashed}\n`);
    return 1;
  }
  call.out(hashed.text);
  return 0;
}

/** `--name value` and `--name=value`; undefined when there is anything else. */
function parseOptions(argv: readonly string[]): ReadonlyMap<string, string> | undefined {
  const options = new Map<string, string>();
  for (let index = 0; index < argv.length; index += 1) {
    const [, name, inline] = /^--(user|uid|groups)(?:=(.*))?$/.exec(argv[index] ?? '') ?? [];
    if (name === undefined || options.has(name)) return undefined;
    if (inline === undefined) index += 1;
    const value = inline ?? argv[index];
    if (value === undefined) return undefined;
    options.set(name, value);
  }
  return options;
}
