// What the demo prints when it is ready: commands to try, with this run's ports. Pure.

import { memberClusters } from './clusters.ts';
import type { DemoFile } from './demo-file.ts';
import type { Layout } from './layout.ts';

export function toWelcome(layout: Layout, file: DemoFile): string {
  const [dnsHost = '', dnsPort = ''] = splitAddress(file.dns);
  const first = memberClusters[0];
  const resolver = first === undefined ? '' : (file.clusters[first.name]?.resolver ?? '');
  const [resolverHost = '', resolverPort = ''] = splitAddress(resolver);
  const zone = first === undefined ? '' : `${first.zone}.${first.region}.`;
  const name = (level: string): string =>
    `nginx.default.${file.federation}.svc.${level}${file.domain}`;
  const names = memberClusters.map((cluster) => cluster.name).join(' ');
  const dirFlag = layout.dir.endsWith('/.demo') ? '' : ` --dir ${layout.dir}`;
  return [
    '',
    'Try, in another terminal:',
    '',
    `  export KUBECONFIG=${file.kubeconfig}`,
    '  kubectl --context=federation-cluster get clusters',
    '  kubectl --context=federation-cluster create -f examples/services/nginx.yaml',
    '  kubectl --context=federation-cluster get serviceshards',
    `  for C in ${names}; do`,
    '    kubectl --context=$C run nginx --image=nginx --port=80',
    '  done',
    '  kubectl --context=federation-cluster describe service nginx',
    `  dig @${dnsHost} -p ${dnsPort} ${name('')}`,
    `  dig @${dnsHost} -p ${dnsPort} ${name(zone)}`,
    `  dig @${resolverHost} -p ${resolverPort} nginx.default.${file.federation}   # as a Pod of ${first?.name ?? ''} would`,
    `  curl http://$(dig +short @${dnsHost} -p ${dnsPort} ${name(zone)} | tail -1)/`,
    `  kubectl --context=${first?.name ?? ''} annotate pod nginx demo.isthmus.dev/ready=false`,
    `  npm run demo -- ctl kill ${memberClusters[2]?.name ?? ''}${dirFlag}`,
    '',
    'Ctrl-C stops everything.',
  ].join('\n');
}

export function splitAddress(address: string): readonly [string, string] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon).replace(/^\[|\]$/g, ''), address.slice(colon + 1)];
}
