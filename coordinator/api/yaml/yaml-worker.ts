// The thread that reads YAML: a text in, an answer out.

import { parentPort } from 'node:worker_threads';
import { invariant } from '../../../common/pure/errors.ts';
import { answerYaml } from './yaml-messages.ts';

const port = parentPort;
invariant(port !== null, 'YAML is read in a worker thread');
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
port.on('message', (text: string) => port.postMessage(answerYaml(text)));
