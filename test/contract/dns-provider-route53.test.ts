import test from 'ava';
import { checkDeposedHolder } from '../support/dns/route53/holders.ts';
import { openRoute53Subject } from '../support/dns/route53/subject.ts';
import { declareProviderContract } from './dns-provider.ts';

declareProviderContract(test, 'Route 53', {
  openSubject: openRoute53Subject,
  faults: ['throttle', 'hang', 'dropAnswerAfterApply', 'dropBeforeApply', 'denied'],
  weights: 'members',
  hasAlias: true,
});

test('I12 at Route 53 what a deposed holder sends late changes nothing', async (t) => {
  const subject = await openRoute53Subject();
  t.teardown(() => subject.dispose());
  await checkDeposedHolder(t, subject);
});
