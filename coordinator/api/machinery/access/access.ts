// The nouns of access: who asks, what is asked, and the port that answers what somebody may do.
// The machinery knows no kind, so it does not know roles either: they stand behind `Access`.

export interface UserInfo {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  /** What else the authenticator knows, such as the fingerprint of a certificate. */
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What authorization decides on (SubjectAccessReview's attributes). */
export interface Attributes {
  readonly user: UserInfo;
  readonly verb: string;
  readonly isResource: boolean;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly path: string;
}

/** `reason`: who granted it, or what kept the authorizer from knowing. */
export interface Decision {
  readonly allowed: boolean;
  readonly reason?: string | undefined;
}

export type Authorize = (attributes: Attributes) => Decision;

/** One rule of a role (rbac.authorization.k8s.io/v1 PolicyRule), absent lists being empty. */
export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames: readonly string[];
  readonly nonResourceURLs: readonly string[];
}

export interface RoleRef {
  /** Role or ClusterRole. */
  readonly kind: string;
  readonly name: string;
}

export interface GrantedRules {
  readonly rules: readonly PolicyRule[];
  /** Roles that bindings name and that are not there. */
  readonly missing: readonly RoleRef[];
}

export interface TokenVerdict {
  readonly user: UserInfo | undefined;
  /** Audiences of the request that the token is good for. */
  readonly audiences: readonly string[];
  readonly error: string | undefined;
}

/** Everything that may be asked about rights, beside the authorization of the request itself. */
export interface Access {
  readonly authorize: Authorize;
  /** What is granted to the user in the namespace (empty: cluster-wide only). */
  rulesFor(user: UserInfo, namespace: string): GrantedRules;
  /** The rules that a binding in `namespace` would grant; undefined when the role is missing. */
  rulesOf(role: RoleRef, namespace: string): readonly PolicyRule[] | undefined;
  /** Never rejects. Empty `audiences` are the server's own. */
  reviewToken(token: string, audiences: readonly string[]): Promise<TokenVerdict>;
}

/** An Access that knows nothing but the authorizer: nothing is listed, no token is good. */
export function toPlainAccess(authorize: Authorize): Access {
  return {
    authorize,
    rulesFor: () => ({ rules: [], missing: [] }),
    rulesOf: () => undefined,
    reviewToken: () =>
      Promise.resolve({ user: undefined, audiences: [], error: 'invalid bearer token' }),
  };
}
