import test from 'ava';
import { elbHostedZoneId } from '../../common/pure/elb-zones.ts';

const rows: readonly (readonly [string, string | undefined])[] = [
  ['shop-1234.eu-west-1.elb.amazonaws.com', 'Z32O12XQLNTSW2'],
  ['SHOP-1234.EU-West-1.elb.amazonaws.com.', 'Z32O12XQLNTSW2'],
  ['dualstack.shop-1234.us-east-1.elb.amazonaws.com', 'Z35SXDOTRQ7X7K'],
  ['internal-shop-1234.us-gov-west-1.elb.amazonaws.com', 'Z33AYJ8TM3BH4J'],
  ['a1b2-4a79c9c0392856fc.elb.us-east-1.amazonaws.com', 'Z26RNL4JYFTOTI'],
  ['a1b2-4a79c9c0392856fc.elb.mx-central-1.amazonaws.com', 'Z02031231H3ID6HYJ9A7U'],
  ['shop-1.cn-north-1.elb.amazonaws.com.cn', 'Z1GDH35T77C1KE'],
  ['shop-1.elb.cn-northwest-1.amazonaws.com.cn', 'ZQEIKTCZ8352D'],
  // A region that we do not know, or that is written for another partition.
  ['shop-1.xx-north-9.elb.amazonaws.com', undefined],
  ['shop-1.cn-north-1.elb.amazonaws.com', undefined],
  ['shop-1.eu-west-1.elb.amazonaws.com.cn', undefined],
  // No load balancer's own name.
  ['eu-west-1.elb.amazonaws.com', undefined],
  ['elb.eu-west-1.amazonaws.com', undefined],
  ['eu-west-1a.shop-1.elb.eu-west-1.amazonaws.com', undefined],
  ['dualstack.shop-1.elb.eu-west-1.amazonaws.com', undefined],
  ['shop-1.eu-west-1.elb.amazonaws.com.attacker.example', undefined],
  ['lb.example.com', undefined],
  ['', undefined],
];

for (const [hostname, zone] of rows) {
  test(`the hosted zone of ${JSON.stringify(hostname)} is ${zone ?? 'not known'}`, (t) => {
    t.is(elbHostedZoneId(hostname), zone);
  });
}
