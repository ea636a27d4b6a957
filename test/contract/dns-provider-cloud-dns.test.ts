import test from 'ava';
import { openCloudDnsSubject } from '../support/dns/cloud-dns/subject.ts';
import { declareProviderContract } from './dns-provider.ts';

declareProviderContract(test, 'Cloud DNS double', {
  openSubject: () => openCloudDnsSubject(),
  faults: ['throttle', 'hang', 'dropAnswerAfterApply', 'dropBeforeApply', 'denied'],
  weights: 'items',
  hasAlias: false,
});
