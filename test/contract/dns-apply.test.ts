import test from 'ava';
import { openCloudDnsSubject } from '../support/dns/cloud-dns/subject.ts';
import { openRoute53Subject } from '../support/dns/route53/subject.ts';
import { declareApplierContract } from './dns-apply.ts';

const faults = ['throttle', 'dropAnswerAfterApply', 'dropBeforeApply'] as const;

declareApplierContract(test, 'applier at Route 53', { openSubject: openRoute53Subject, faults });
declareApplierContract(test, 'applier at Cloud DNS', {
  openSubject: () => openCloudDnsSubject(),
  faults,
});
