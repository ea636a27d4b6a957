import test from 'ava';
import { powerDns } from '../support/dns/dns-servers.ts';
import { declareOnServer } from '../support/dns/rfc2136-subject.ts';

declareOnServer(test, powerDns);
