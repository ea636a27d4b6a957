import test from 'ava';
import { openRoute53Subject } from '../support/dns/route53/subject.ts';
import { declareProviderContract } from './dns-provider.ts';

declareProviderContract(test, 'Route 53', {
  openSubject: openRoute53Subject,
  faults: ['throttle', 'hang', 'dropAnswerAfterApply', 'dropBeforeApply', 'denied'],
  weights: 'members',
  hasAlias: true,
});
