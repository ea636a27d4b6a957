// Users of a kubeconfig that a program or a provider speaks for (exec, auth-provider), through the
// Kubernetes client library. It costs 50 MiB: this file is imported only for such users.

import { KubeConfig } from '@kubernetes/client-node';
import type { KubeEndpoint } from './kube-http-exchange.ts';

/** The credentials that override a plain endpoint's. Certificates from exec are read once. */
export async function loadTokenSource(
  kubeconfigPath: string,
  contextName: string,
): Promise<Partial<KubeEndpoint>> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigPath);
  config.setCurrentContext(contextName);
  const readOptions = async () => {
    const options: { headers: Record<string, string>; cert?: unknown; key?: unknown } = {
      headers: {},
    };
    await config.applyToHTTPSOptions(options);
    return options;
  };
  const first = await readOptions();
  const text = (value: unknown): string | undefined =>
    typeof value === 'string' ? value : Buffer.isBuffer(value) ? value.toString('utf8') : undefined;
  return {
    clientCertPem: text(first.cert),
    clientKeyPem: text(first.key),
    token: async () => {
      const { headers } = await readOptions(); // the library caches the token until it expires
      const header = headers['Authorization'] ?? headers['authorization'];
      return header?.startsWith('Bearer ') === true ? header.slice('Bearer '.length) : undefined;
    },
  };
}
