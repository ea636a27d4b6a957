// A door on the thread of the test, so that it has the clock of the test.

import { MessageChannel } from 'node:worker_threads';
import { systemClock, type Clock } from '../../common/runtime/clock.ts';
import { Outbox, type Mail } from '../../coordinator/api/https/door-mail.ts';
import type { Report } from '../../coordinator/api/https/door-messages.ts';
import { openDoor } from '../../coordinator/api/https/door/door.ts';
import type { StartDoor } from '../../coordinator/api/https/door-life.ts';

export function createDoorHere(clock: Clock): StartDoor {
  return (settings, { onMail, onExit }) => {
    const { port1: owner, port2: port } = new MessageChannel();
    owner.on('message', (mail: Mail<Report>) => onMail(mail));
    void openDoor(settings, { port, outbox: new Outbox(port, systemClock), clock });
    return {
      postMessage: (mail, transfer) => owner.postMessage(mail, transfer),
      end: async () => {
        owner.close();
        onExit(new Error('ended'));
      },
    };
  };
}
