// What the federation refuses beyond a Service's own rules: names that every cluster keeps for
// itself. Agents refuse them too (I13); here the user hears it at once. The Service `kubernetes`
// is the API's own, and a user may write it as anywhere (api/kubernetes-service.ts).

import type { Admit } from './api/machinery/api.ts';
import { forbiddenBecause } from './api/machinery/answer/status-error.ts';

export const admitService: Admit = ({ operation, kind, object }) => {
  const isService = kind.group === '' && kind.plural === 'services';
  if (operation !== 'create' || !isService || object === undefined) {
    return Promise.resolve({ warnings: [] });
  }
  const { name, namespace = '' } = object.metadata;
  if (!namespace.startsWith('kube-')) return Promise.resolve({ warnings: [] });
  const why =
    `${namespace}/${name} is every cluster's own: ` +
    'Services of kube-* namespaces are not federated';
  return Promise.reject(forbiddenBecause({ group: '', resource: 'services', name, why }));
};
