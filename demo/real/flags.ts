// The command lines of a real control plane without nodes: etcd, kube-apiserver and
// kube-controller-manager. RBAC is on; there is no kubelet, no scheduler and no cloud. Pure.
//
// Input: a folder that holds ca.crt, server.crt, server.key, accounts.key and accounts.pub.

import { join } from 'node:path';

export interface ControlPlanePorts {
  readonly api: number;
  readonly etcd: number;
  readonly etcdPeer: number;
}

const host = '127.0.0.1';

export function etcdFlags(folder: string, ports: ControlPlanePorts): readonly string[] {
  const [client, peer] = [`http://${host}:${ports.etcd}`, `http://${host}:${ports.etcdPeer}`];
  return [
    '--name=default',
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--log-level=warn',
  ];
}

export function apiserverFlags(
  folder: string,
  ports: ControlPlanePorts,
  serviceRange: string,
): readonly string[] {
  const file = (name: string): string => join(folder, name);
  return [
    `--etcd-servers=http://${host}:${ports.etcd}`,
    `--bind-address=${host}`,
    `--advertise-address=${host}`,
    `--secure-port=${ports.api}`,
    `--tls-cert-file=${file('server.crt')}`,
    `--tls-private-key-file=${file('server.key')}`,
    `--client-ca-file=${file('ca.crt')}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${file('accounts.pub')}`,
    `--service-account-signing-key-file=${file('accounts.key')}`,
    `--service-cluster-ip-range=${serviceRange}`,
    '--endpoint-reconciler-type=none',
    '--disable-admission-plugins=ServiceAccount',
    '--profiling=false',
  ];
}

export function controllerFlags(
  folder: string,
  kubeconfig: string,
  controllers: readonly string[],
): readonly string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--controllers=${controllers.join(',')}`,
    '--leader-elect=false',
    '--secure-port=0',
    `--cert-dir=${folder}`,
  ];
}
