// The functions of upstream's kubectl suite that have something to ask of a federation, in the
// order of a person's day: what the server says of itself, objects, rights, the client.

export const kubectlFunctions: readonly string[] = [
  'kubectl_version',
  'RESTMapper_evaluation',
  'resource_aliasing',
  'swagger',
  'kubectl_explain',
  'service',
  'namespace',
  'configmap',
  'create_secret',
  'kubectl_create_dry_run',
  'kubectl_create_validate',
  'kubectl_get',
  'kubectl_response_compression',
  'kubectl_sort_by',
  'kubectl_all_namespace',
  'kubectl_delete_allnamespaces',
  'kubectl_delete_interactive',
  'kubectl_apply',
  'kubectl_server_side_apply',
  'kubectl_events',
  'kubectl_results',
  'multi_resources',
  'template_output',
  'save_config',
  'wait',
  'kubectl_auth_whoami',
  'authorization',
  'impersonation',
  'clusterroles',
  'role',
  'exec_credentials',
  'exec_credentials_interactive',
  'kubeconfig_impersonate',
  'client_config',
  'kubectl_config_set',
  'kubectl_config_set_cluster',
  'kubectl_config_set_credentials',
  'kubectl_request_timeout',
  'kuberc',
  'plugins',
  'kubectl_help',
];

/** Those that pass, in seconds: what `npm test` runs. */
export const quickFunctions: readonly string[] = [
  'kubectl_version',
  'RESTMapper_evaluation',
  'swagger',
  'configmap',
  'create_secret',
  'kubectl_delete_allnamespaces',
  'kubectl_delete_interactive',
  'kubectl_auth_whoami',
  'authorization',
  'impersonation',
  'client_config',
  'plugins',
];

const ownReasons: Readonly<Record<string, string>> = {
  kubectl_response_compression:
    'looks for `Vary: Accept-Encoding` on the Table of three ConfigMaps; it has 3 kB, and kube-apiserver 1.34.4 answers without it too',
  exec_credentials: 'looks for the name that the own setup of the suite gives its CA',
  kubectl_config_set: 'reads the certificate that the own setup of the suite makes',
  kubectl_config_set_cluster: 'reads the certificate that the own setup of the suite makes',
};

/** Why a function stopped, for a reason that stays; undefined when nobody knows. */
export function explain({
  name,
  last,
}: {
  readonly name: string;
  readonly last: string;
}): string | undefined {
  const kind =
    /have a resource type "([^"]+)"/.exec(last)?.[1] ??
    /matches for kind "([^"]+)"/.exec(last)?.[1];
  return kind === undefined ? ownReasons[name] : `its sample is a kind not served, ${kind}`;
}

export const notServed =
  'pods, replication controllers, deployments, replica sets, stateful sets, daemon sets, jobs, cron jobs, custom resource definitions, nodes, volumes and storage classes, certificates, service accounts, quotas, debug, exec and run';
