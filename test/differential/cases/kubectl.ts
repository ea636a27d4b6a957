// What people type. Each step runs in the same folder, so later ones find the files of earlier.

import { kubectl, setup, type Area } from '../step.ts';

const nginx = `apiVersion: v1
kind: Service
metadata:
  name: nginx
  labels: {run: nginx}
spec:
  type: LoadBalancer
  selector: {run: nginx}
  ports:
  - {name: http, port: 80}
  - {name: https, port: 443}
`;
const bad = nginx.replace('type:', 'typo:');
const plain = `apiVersion: v1
kind: Service
metadata: {name: plain}
spec:
  clusterIP: None
  selector: {app: a}
  ports: [{port: 80}]
`;
const all = { files: { 'nginx.yaml': nginx, 'bad.yaml': bad, 'plain.yaml': plain } };
const sortLines = (text: string): string => text.split('\n').sort().join('\n');
/** The lines of kinds that both servers have. */
const served = (text: string): string =>
  text
    .split('\n')
    .filter((line) => /^(services|namespaces|configmaps|secrets|events|leases|NAME)\b/.test(line))
    .sort()
    .join('\n');
const addresses = (text: string): string => text.replace(/^(IPs?:).*$/gm, '$1');

export const kubectlRead: Area = {
  name: 'kubectl-read',
  steps: [
    setup(kubectl('make one', 'create -f nginx.yaml', all)),
    setup(kubectl('make another', 'create -f plain.yaml')),
    setup(kubectl('make a third', 'create service externalname ext --external-name a.example.com')),
    kubectl('api-resources [k8s 5]', 'api-resources', { pick: served }),
    kubectl('api-resources, wide [k8s 5]', 'api-resources --verbs=list,get -o wide', {
      pick: served,
    }),
    kubectl(
      'api-resources of the cluster [k8s 5]',
      'api-resources --namespaced=false --api-group=',
      { pick: served },
    ),
    kubectl('api-versions [k8s 5]', 'api-versions', {
      pick: (text) =>
        text
          .split('\n')
          .filter((line) => /^(v1|events|coordination|discovery|rbac)/.test(line))
          .sort()
          .join('\n'),
    }),
    ...[
      'svc',
      'service',
      'services',
      'services.v1.',
      'svc/nginx',
      'svc,cm',
      'all',
      'svc nginx plain',
    ].map((what) => kubectl(`get ${what} [k8s 6]`, `get ${what}`)),
    kubectl('get of an unknown kind [k8s 7]', 'get foo'),
    kubectl('get of an unknown group [k8s 7]', 'get foo.bar.io'),
    kubectl('get of a missing one [k8s 37]', 'get svc nope'),
    kubectl('get of a missing one among others [k8s 37]', 'get svc nginx nope'),
    kubectl('ignoring that it is missing [k8s 37]', 'get svc nope --ignore-not-found'),
    kubectl('get in an empty namespace [k8s 37]', 'get svc -n none'),
    kubectl('wide [k8s 35]', 'get svc -o wide'),
    kubectl('with labels [k8s 36]', 'get svc --show-labels'),
    kubectl('a label as column [k8s 36]', 'get svc -L run'),
    kubectl('by label [k8s 36]', 'get svc -l run=nginx'),
    kubectl('by label in a set [k8s 36]', ['get', 'svc', '-l', 'run in (nginx,x)', '-o', 'name']),
    kubectl('sorted [k8s 36]', 'get svc --sort-by=.metadata.name -o name'),
    kubectl('sorted by port [k8s 36]', 'get svc --sort-by=.spec.ports[0].port'),
    kubectl('without headers [k8s 36]', 'get svc --no-headers'),
    kubectl('of all namespaces [k8s 36]', 'get svc -A --field-selector metadata.namespace={ns}'),
    kubectl('names [k8s 36]', 'get svc -o name'),
    kubectl('JSON [k8s 36]', 'get svc nginx -o json'),
    kubectl('YAML [k8s 36]', 'get svc nginx -o yaml'),
    kubectl('a list as YAML [k8s 36]', 'get svc -o yaml'),
    kubectl('managed fields [k8s 100]', 'get svc nginx -o yaml --show-managed-fields'),
    kubectl('jsonpath [k8s 36]', ['get', 'svc', 'nginx', '-o', 'jsonpath={.spec.ports[*].name}']),
    kubectl('go-template [k8s 36]', [
      'get',
      'svc',
      '-o',
      'go-template={{range .items}}{{.metadata.name}} {{end}}',
    ]),
    kubectl('custom columns [k8s 36]', 'get svc -o custom-columns=N:.metadata.name,T:.spec.type'),
    kubectl('by field [k8s 55]', 'get svc --field-selector spec.type=LoadBalancer'),
    kubectl('by an unsupported field [k8s 55]', 'get svc --field-selector spec.foo=a'),
    kubectl('by a malformed selector [k8s 53]', ['get', 'svc', '-l', 'a b']),
    kubectl('in chunks [k8s 55]', 'get svc --chunk-size=1'),
    kubectl('server prints nothing [k8s 36]', 'get svc --server-print=false'),
    kubectl('raw [k8s 45]', 'get --raw /api/v1/namespaces/{ns}/services/nope'),
    kubectl('raw of a path [k8s 45]', 'get --raw /healthz'),
    kubectl('describe [k8s 41]', 'describe svc nginx', { pick: addresses }),
    kubectl('describe without events [k8s 41]', 'describe svc plain --show-events=false', {
      pick: addresses,
    }),
    kubectl('describe a missing one [k8s 41]', 'describe svc nope'),
    kubectl('describe all [k8s 41]', 'describe svc --chunk-size=1', { pick: addresses }),
    kubectl('describe the namespace [k8s 111]', 'describe ns {ns}'),
    kubectl('explain [k8s 10]', 'explain svc.spec.type', {
      pick: (text) => text.split('\n').slice(0, 6).join('\n'),
    }),
    kubectl('explain an unknown field [k8s 10]', 'explain svc.spec.nonsense'),
    kubectl('explain an unknown kind [k8s 10]', 'explain nonsense'),
    kubectl('explain, the tree [k8s 10]', 'explain svc.spec --recursive', { pick: withoutTexts }),
    kubectl('no events [k8s 43]', 'events'),
    kubectl('no events by get [k8s 43]', 'get ev'),
    kubectl('no events of it [k8s 43]', 'events --for service/nginx'),
    kubectl('no Endpoints [k8s 44]', 'get ep nope'),
    kubectl('a scale [k8s 126]', 'scale svc nginx --replicas=2'),
    kubectl('an autoscale [k8s 126]', 'autoscale svc nginx --max=2'),
    kubectl('a rollout [k8s 126]', 'rollout status svc/nginx'),
    kubectl('may I [k8s 119]', 'auth can-i create svc'),
    kubectl('may jane [k8s 119]', 'auth can-i create svc --as jane'),
    kubectl(
      'may jane of masters [k8s 119]',
      'auth can-i create svc --as jane --as-group system:masters',
    ),
    kubectl('may I, nonsense [k8s 119]', 'auth can-i create nonsense'),
    kubectl('what may jane [k8s 119]', 'auth can-i --list --as jane', { pick: sortLines }),
    kubectl('jane is forbidden [k8s 120]', 'get svc --as jane'),
    kubectl('a group without a user [k8s 120]', 'get svc --as-group g'),
    kubectl('who is jane [k8s 119]', 'auth whoami --as jane --as-group g', { minors: [28, 99] }),
  ],
};

/** Of `explain --recursive`, the fields with their types. */
function withoutTexts(text: string): string {
  return text
    .split('\n')
    .filter((line) => /\t<|^ *[a-zA-Z]+ *<| {2,}[a-zA-Z]+\t/.test(line))
    .join('\n');
}

export const kubectlWrite: Area = {
  name: 'kubectl-write',
  steps: [
    kubectl('create [k8s 16]', 'create -f nginx.yaml', all),
    kubectl('create again [k8s 17]', 'create -f nginx.yaml'),
    kubectl('an unknown field [k8s 21]', 'create -f bad.yaml'),
    kubectl(
      'an unknown field, warned [k8s 21]',
      'create -f bad.yaml --validate=warn --dry-run=server',
    ),
    kubectl(
      'an unknown field, silent [k8s 21]',
      'create -f bad.yaml --validate=false --dry-run=server',
    ),
    kubectl('an invalid one [k8s 30]', 'create -f -', {
      input: plain.replace('port: 80', 'port: 0'),
    }),
    kubectl('in a missing namespace [k8s 28]', 'create -f plain.yaml -n none'),
    kubectl('dry run [k8s 20]', 'create -f plain.yaml --dry-run=server'),
    kubectl('dry run as YAML [k8s 20]', 'create -f plain.yaml --dry-run=server -o yaml'),
    kubectl('service clusterip [k8s 18]', 'create service clusterip inner --tcp=80:8080 --tcp=443'),
    kubectl('service headless [k8s 18]', 'create service clusterip hl --clusterip=None'),
    kubectl(
      'service nodeport [k8s 18]',
      'create service nodeport outer --tcp=80:http --node-port={port}',
    ),
    kubectl(
      'service nodeport, taken [k8s 18]',
      'create service nodeport outer2 --tcp=80 --node-port={port}',
    ),
    kubectl('service loadbalancer [k8s 18]', 'create service loadbalancer edge --tcp=5678:8080'),
    kubectl(
      'service externalname [k8s 18]',
      'create service externalname db --external-name db.example.com',
    ),
    kubectl('what they are [k8s 18]', [
      'get',
      'svc',
      '-o',
      'custom-columns=N:.metadata.name,T:.spec.type,P:.spec.ports[*].port,S:.spec.selector',
    ]),
    kubectl('namespace [k8s 19]', 'create namespace {ns}-a'),
    kubectl('namespace again [k8s 19]', 'create ns {ns}-a'),
    kubectl('namespace, dry run [k8s 19]', 'create ns {ns}-dry --dry-run=server'),
    kubectl('namespaces [k8s 111]', 'get ns {ns}-a'),
    kubectl('namespace deleted [k8s 111]', 'delete ns {ns}-a'),
    kubectl('namespace is gone [k8s 111]', 'get ns {ns}-a'),
    kubectl('a protected namespace [k8s 111]', 'delete ns default'),
    kubectl('configmap [k8s 113]', 'create configmap cfg --from-literal=a=b'),
    kubectl('configmap described [k8s 113]', 'describe cm cfg'),
    kubectl('secret [k8s 113]', 'create secret generic tok --from-literal=k=v'),
    kubectl('secret as YAML [k8s 113]', 'get secret tok -o yaml'),
    kubectl('secrets and maps [k8s 35]', 'get cm,secret'),
    kubectl('label [k8s 91]', 'label svc nginx a=b'),
    kubectl('label again [k8s 91]', 'label svc nginx a=b'),
    kubectl('label, no overwrite [k8s 91]', 'label svc nginx a=c'),
    kubectl('label overwritten [k8s 91]', 'label svc nginx a=c --overwrite'),
    kubectl('label removed [k8s 91]', 'label svc nginx a-'),
    kubectl('label removed again [k8s 91]', 'label svc nginx a-'),
    kubectl('label listed [k8s 91]', 'label svc nginx --list'),
    kubectl('label at an old revision [k8s 91]', 'label svc nginx z=1 --resource-version=1'),
    kubectl('label invalid [k8s 91]', ['label', 'svc', 'nginx', 'a b=c']),
    kubectl('annotate [k8s 91]', 'annotate svc nginx n=1'),
    kubectl('annotation removed [k8s 91]', 'annotate svc nginx n-'),
    kubectl('patch, strategic [k8s 91]', [
      'patch',
      'svc',
      'nginx',
      '-p',
      '{"spec":{"ports":[{"port":80,"targetPort":8080}]}}',
    ]),
    kubectl('patch, no change [k8s 91]', [
      'patch',
      'svc',
      'nginx',
      '-p',
      '{"spec":{"ports":[{"port":80,"targetPort":8080}]}}',
    ]),
    kubectl('patch, merge [k8s 91]', [
      'patch',
      'svc',
      'nginx',
      '--type=merge',
      '-p',
      '{"metadata":{"labels":{"m":"1"}}}',
    ]),
    kubectl('patch, JSON [k8s 91]', [
      'patch',
      'svc',
      'nginx',
      '--type=json',
      '-p',
      '[{"op":"remove","path":"/metadata/labels/m"}]',
    ]),
    kubectl('patch, failing [k8s 91]', [
      'patch',
      'svc',
      'nginx',
      '--type=json',
      '-p',
      '[{"op":"remove","path":"/metadata/labels/m"}]',
    ]),
    kubectl('patch, invalid [k8s 91]', ['patch', 'svc', 'nginx', '-p', '{"spec":{"type":"X"}}']),
    kubectl('patch, of status [k8s 91]', [
      'patch',
      'svc',
      'nginx',
      '--subresource=status',
      '--type=merge',
      '-p',
      '{"status":{"loadBalancer":{"ingress":[{"ip":"198.51.100.7"},{"hostname":"lb.example.com"}]}}}',
    ]),
    kubectl('get with addresses [k8s 42]', 'get svc nginx'),
    kubectl('describe with addresses [k8s 42]', 'describe svc nginx', { pick: addresses }),
    kubectl('get of status [k8s 82]', [
      'get',
      'svc',
      'nginx',
      '--subresource=status',
      '-o',
      'jsonpath={.status}',
    ]),
    kubectl('set selector [k8s 84]', 'set selector svc nginx a=b'),
    kubectl(
      'set selector at an old revision [k8s 84]',
      'set selector svc nginx a=c --resource-version=1',
    ),
    kubectl('expose [k8s 16]', 'expose svc nginx --name=exposed --port=81'),
    kubectl('edit, no change [k8s 81]', 'edit svc nginx', { env: { EDITOR: 'true' } }),
    kubectl('edit [k8s 81]', 'edit svc nginx', {
      env: { EDITOR: "sed -i 's/targetPort: 8080/targetPort: 8081/'" },
    }),
    kubectl('edit, invalid [k8s 81]', 'edit svc nginx', {
      env: { EDITOR: "sed -i 's/port: 80$/port: 0/'" },
      pick: (text) => text.replace(/\/\S+\/kubectl-edit-\S+/g, '<file>'),
    }),
    kubectl('edit of status [k8s 81]', 'edit svc nginx --subresource=status', {
      env: { EDITOR: "sed -i 's/198.51.100.7/198.51.100.8/'" },
    }),
    kubectl('get of the edited status [k8s 81]', 'get svc nginx'),
    kubectl('replace [k8s 81]', 'replace -f nginx.yaml'),
    kubectl('replace by force [k8s 81]', 'replace --force -f nginx.yaml'),
    kubectl('replace a missing one [k8s 81]', 'replace -f plain.yaml'),
    kubectl('wait, a JSON path [k8s 69]', [
      'wait',
      'svc/nginx',
      '--for=jsonpath={.spec.type}=LoadBalancer',
      '--timeout=5s',
    ]),
    kubectl('wait, a timeout [k8s 69]', [
      'wait',
      'svc/nginx',
      '--for=jsonpath={.spec.type}=X',
      '--timeout=1s',
    ]),
    kubectl('wait, a condition [k8s 69]', 'wait svc/nginx --for=condition=Nonsense --timeout=1s'),
    kubectl('wait, a missing one [k8s 69]', [
      'wait',
      'svc/nope',
      '--for=jsonpath={.spec.type}=X',
      '--timeout=1s',
    ]),
    kubectl('wait, deleted already [k8s 69]', 'wait svc/nope --for=delete --timeout=1s'),
    kubectl('wait, created [k8s 69]', 'wait svc/nginx --for=create --timeout=2s', {
      minors: [31, 99],
    }),
    kubectl('delete [k8s 104]', 'delete svc nginx'),
    kubectl('delete again [k8s 109]', 'delete svc nginx'),
    kubectl('delete, ignoring [k8s 109]', 'delete svc nginx --ignore-not-found'),
    kubectl('delete, dry run [k8s 109]', 'delete svc edge --dry-run=server'),
    kubectl('delete now [k8s 109]', 'delete svc edge --now'),
    kubectl('delete by force [k8s 109]', 'delete svc outer --force'),
    kubectl('delete in the foreground [k8s 109]', 'delete svc inner --cascade=foreground'),
    kubectl('delete as orphan [k8s 109]', 'delete svc db --cascade=orphan'),
    kubectl('delete by label [k8s 109]', 'delete svc -l app=hl'),
    kubectl('delete by file [k8s 109]', 'delete -f nginx.yaml --ignore-not-found'),
    kubectl('delete all [k8s 109]', 'delete svc --all'),
    kubectl('nothing left [k8s 109]', 'get svc'),
  ],
};

const changed = nginx.replace('name: https, port: 443', 'name: https, port: 8443');

export const kubectlApply: Area = {
  name: 'kubectl-apply',
  steps: [
    kubectl('apply [k8s 92]', 'apply -f nginx.yaml', all),
    kubectl('apply again [k8s 92]', 'apply -f nginx.yaml'),
    kubectl('diff without one [k8s 93]', 'diff -f nginx.yaml'),
    kubectl('diff with one [k8s 93]', 'diff -f nginx.yaml', {
      files: { 'nginx.yaml': changed },
      pick: (text) => text.replace(/^(diff|---|\+\+\+|@@) .*$/gm, '$1'),
    }),
    kubectl('diff on the server [k8s 93]', 'diff --server-side --force-conflicts -f nginx.yaml', {
      pick: (text) => text.replace(/^(diff|---|\+\+\+|@@) .*$/gm, '$1'),
    }),
    kubectl('apply a change [k8s 92]', 'apply -f nginx.yaml'),
    kubectl('a port is gone [k8s 92]', [
      'get',
      'svc',
      'nginx',
      '-o',
      'jsonpath={.spec.ports[*].port}',
    ]),
    kubectl('apply, dry run [k8s 92]', 'apply -f nginx.yaml --dry-run=server'),
    kubectl('apply, invalid [k8s 92]', 'apply -f -', { input: nginx.replace('LoadBalancer', 'X') }),
    kubectl('view-last-applied [k8s 92]', 'apply view-last-applied svc nginx'),
    kubectl('set-last-applied [k8s 92]', 'apply set-last-applied -f nginx.yaml'),
    kubectl('edit-last-applied [k8s 92]', 'apply edit-last-applied svc nginx', {
      env: { EDITOR: 'true' },
    }),
    setup(kubectl('created otherwise', 'create -f plain.yaml')),
    kubectl('apply without its annotation [k8s 92]', 'apply -f plain.yaml'),
    kubectl('apply on the server [k8s 94]', 'apply --server-side -f plain.yaml', {
      files: { 'plain.yaml': plain.replace('app: a', 'app: b') },
    }),
    kubectl(
      'apply on the server, forced [k8s 95]',
      'apply --server-side --force-conflicts -f plain.yaml',
    ),
    kubectl('its managers [k8s 102]', [
      'get',
      'svc',
      'plain',
      '--show-managed-fields',
      '-o',
      'jsonpath={.metadata.managedFields[*].manager}',
    ]),
    kubectl('a conflict [k8s 95]', 'apply --server-side --field-manager=other -f plain.yaml', {
      files: { 'plain.yaml': plain.replace('app: a', 'app: c') },
    }),
    kubectl(
      'prune [k8s 92]',
      ['apply', '--prune', '--prune-allowlist=core/v1/Service', '-l', 'run=nginx', '-f', '-'],
      {
        input: plain.replace('name: plain', 'name: plain, labels: {run: nginx}'),
      },
    ),
    kubectl('is pruned [k8s 92]', 'get svc nginx'),
  ],
};
