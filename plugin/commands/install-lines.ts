// The lines that install an agent, and the values that Helm can be given instead. Pure.

import { stringify } from 'yaml';
import { quoteShell } from '../output.ts';

export interface Installation {
  readonly cluster: string;
  /** host:port. */
  readonly coordinator: string;
  readonly token: string;
  /** Name of the Secret that holds the token; undefined: the chart's own. */
  readonly secret: string | undefined;
  readonly chart: string;
  readonly namespace: string;
  readonly place: Readonly<Record<string, string>> | object;
}

export interface InstallLines {
  /** One line of shell. */
  readonly command: string;
  /** YAML. */
  readonly values: string;
  /** Makes the Secret, when there is one. */
  readonly secret: string | undefined;
}

export function toInstallation(of: Installation): InstallLines {
  const values = toValues(of);
  const sets = flatten(values).map(
    ([path, text]) => `--set ${quoteShell(`${path}=${escapeSet(text)}`)}`,
  );
  const install = [
    `helm install isthmus-agent ${quoteShell(of.chart)}`,
    `--namespace ${quoteShell(of.namespace)} --create-namespace`,
    ...sets,
  ].join(' ');
  const secret = of.secret === undefined ? undefined : toSecretLine(of, of.secret);
  return {
    command: `${secret === undefined ? install : `${secret} && ${install}`}\n`,
    values: stringify(values),
    secret,
  };
}

function toValues({ cluster, coordinator, token, secret, place }: Installation): object {
  return {
    cluster: { name: cluster, ...place },
    coordinator: { address: coordinator },
    join: secret === undefined ? { token } : { existingSecret: { name: secret } },
  };
}

/** Both may be there already: apply says so and goes on. */
function toSecretLine({ namespace, token }: Installation, secret: string): string {
  const [space, name] = [quoteShell(namespace), quoteShell(secret)];
  return (
    `kubectl create namespace ${space} --dry-run=client -o yaml | kubectl apply -f - && ` +
    `kubectl --namespace ${space} create secret generic ${name} ` +
    `--from-literal=token=${quoteShell(token)} --dry-run=client -o yaml | kubectl apply -f -`
  );
}

function flatten(value: object, path = ''): readonly (readonly [string, string])[] {
  return Object.entries(value).flatMap(([key, each]: [string, unknown]) => {
    const at = path === '' ? key : `${path}.${key}`;
    return typeof each === 'object' && each !== null
      ? flatten(each, at)
      : [[at, String(each)] as const];
  });
}

/** Helm divides values of --set at commas, and reads braces and brackets as lists. */
function escapeSet(text: string): string {
  return text.replaceAll(/[\\,{}[\]]/g, (character) => `\\${character}`);
}
