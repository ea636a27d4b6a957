// version: of the plugin and of the federation.

import { describeError } from '../../common/runtime/log.ts';
import { exitFailed, exitOk, type Command } from '../command.ts';
import { formatValue } from '../output.ts';
import { readServerVersion } from '../server-version.ts';

export const version: Command = {
  words: ['version'],
  summary: 'Shows the version of this plugin and of the federation.',
  args: [],
  flags: [
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      description: 'json or yaml instead of text.',
      choices: ['json', 'yaml'],
    },
    { name: 'client', description: 'Only of this plugin; asks no server.' },
  ],
  examples: [{ says: 'Both', line: 'kubectl isthmus version' }],
  run: async ({ flags, io, federation, version: client }) => {
    const asked = flags.isOn('client')
      ? { server: undefined }
      : await readServerVersion(federation()).then(
          (server) => ({ server }),
          (error: unknown) => ({ server: undefined, error: describeError(error) }),
        );
    const { server } = asked;
    const format = flags.text('output');
    const shown = { client, ...(server === undefined ? {} : { server }) };
    if (format === 'json' || format === 'yaml') io.out(formatValue(shown, format));
    else {
      io.out(`Plugin: ${client}\n`);
      if (server !== undefined) {
        io.out(`Coordinator: ${server.isthmus || '<not a federation>'}\n`);
        io.out(`Kubernetes API: ${server.kubernetes}\n`);
      }
    }
    if (!('error' in asked)) return exitOk;
    io.say(`error: ${asked.error}`);
    return exitFailed;
  },
};
