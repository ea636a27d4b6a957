// The compatibility checklist: what must behave as against a kube-apiserver of Kubernetes 1.34, as
// numbered items in groups. A test that shows an item carries `[k8s N]` in its title; the numbers
// are stable, so an item that goes leaves its number behind.
//
// Next file to read: compatibility.ts.

export interface Item {
  readonly number: number;
  readonly area: string;
  readonly text: string;
}

const list = `
# Discovery and meta
1 Discovery without a special Accept answers in the old shapes: APIVersions and APIGroupList.
2 Aggregated discovery, v2 and v2beta1: content type, ETag, Vary, 304.
3 /api/v1 lists services and services/status with verbs, short names, categories, singular name.
4 Each served group answers /apis/<group> and /apis/<group>/<version>; a preferred version is named.
5 kubectl api-resources and api-versions, with their filters.
6 kubectl get finds a Service by every name of the kind: svc, services.v1., svc/x, all, svc,ns.
7 kubectl get of an unknown kind says that the server has none such.
8 OpenAPI v3: index, hashed URLs that are immutable, a wrong hash redirects, 304.
9 OpenAPI v2 parses as JSON and protobuf, every reference resolves, no kind is there twice.
10 kubectl explain, recursive, with the enum of spec.type.
11 kubectl 1.27 and 1.28 create from a file, through OpenAPI v2 as protobuf.
12 /version parses; kubectl version prints it without a skew warning.
13 /healthz, /livez and /readyz, verbose and single checks; a failing check is a 500.
14 Unknown paths, unknown resources and wrong methods: the three kinds of refusal.
15 /metrics needs a user and parses as Prometheus text.
# Create
16 create -f answers 201 with every default of each Service type.
17 A second create says AlreadyExists, and kubectl prints it.
18 kubectl create service of every type, as protobuf from 1.32 on.
19 kubectl create namespace, also as a dry run on the server.
20 A dry run stores nothing and moves no revision.
21 Unknown fields: Strict refuses, Warn warns, Ignore is silent; kubectl --validate likewise.
22 Duplicate JSON keys: refused, warned of, or the last one wins.
23 YAML bodies are YAML 1.1; several documents are refused.
24 Wrong types, kinds, versions, empty bodies and garbage: their texts.
25 Content negotiation: 415, 406, q-values, no Accept.
26 What a client sends in server-owned metadata on create.
27 generateName: length, alphabet, retries, then 409 with a time to wait.
28 Create in a missing namespace is 404, in a terminating one 403 with its cause.
29 Status in a create is ignored.
30 Every row of the validation table of Services: code, reason, message, order of causes.
31 Each warning is a Warning header, and kubectl prints it.
32 Bodies over 3 MiB are 413.
33 A body without kind and apiVersion is accepted.
34 A field manager that is too long or not printable is 422.
# Read and tables
35 kubectl get svc prints each type's columns, also wide.
36 kubectl get across namespaces, with labels, sorting and every output form.
37 kubectl get of a missing Service: text and exit code; --ignore-not-found.
38 includeObject Metadata, Object, None and nonsense.
39 PartialObjectMetadata of one, of a list and in a watch; the wrong form is 406.
40 The rounding of ages.
41 kubectl describe svc, with Endpoints or EndpointSlices, and events.
42 kubectl describe prints the load balancer's addresses with (VIP).
43 kubectl events and get events, with their filters.
44 Endpoints and EndpointSlices are read-only views; v1 Endpoints warn of their deprecation.
45 kubectl get --raw.
46 ?pretty, and pretty answers to curl.
47 Answers are compressed from 128 KiB on only.
# List semantics
48 A paged list returns each item once while objects change.
49 remainingItemCount is right without a selector and absent with one.
50 An expired continue token is 410 with a token that goes on inconsistently.
51 resourceVersion "", "0", N, one of the future, and one that is no number, on a list.
52 resourceVersionMatch in all combinations.
53 Label selectors with every operator; a malformed one is 400.
54 Field selectors: supported, unsupported, !=.
55 kubectl --field-selector and --chunk-size.
56 A list is in order of namespace and name, its revision at or above every item's.
57 A list in an unknown namespace is empty and 200.
# Watch
58 A watch from a list's revision has no gap and no duplicate under concurrent writers.
59 A watch without a revision, or from 0, begins with ADDED events.
60 A watch from too old a revision is a 410 event in a 200 stream.
61 Bookmarks rise, and come only when asked for.
62 sendInitialEvents ends with its annotated bookmark; without a match it is 422.
63 An object that enters or leaves a selector is ADDED or DELETED.
64 timeoutSeconds ends a watch; headers are sent at once.
65 DELETED carries the final object at a higher revision.
66 Watches as tables: columns once; kubectl get -w in its forms.
67 A watch of one name from revision 0.
68 A thousand watchers see one order; a slow one is cut off, the others never notice.
69 kubectl wait, for conditions, JSON paths, creation and deletion.
70 Informers of two client libraries go on after a restart of the server.
71 Revisions never go back over a restart.
# Update
72 PUT with no, the right, an old and an invalid revision; wrong name; wrong uid.
73 PUT of a missing Service creates it, and needs the right to create.
74 Immutable metadata is refused or restored.
75 A write that changes nothing keeps the revision, and nobody hears of it.
76 All twelve transitions between Service types.
77 Cluster addresses and families in updates: empty, null, None, changed, one family to two and back.
78 Node ports stay by port name, go with the type, stay when set.
79 loadBalancerClass and healthCheckNodePort do not change.
80 Addresses that were stored under laxer rules can be updated.
81 kubectl replace, replace --force, edit, edit of status.
82 /status writes status and metadata only; the object's own path never writes status.
83 From LoadBalancer to ClusterIP the addresses go and the conditions stay.
84 kubectl set selector, with a conflict at an old revision.
# Patch
85 JSON patch: all operations, escapes, failing tests, the bound on operations.
86 Merge patch: null, lists replaced, invalid JSON.
87 Strategic merge patch: keys, directives, order, primitive lists, its errors.
88 A patch that would change name, namespace or kind.
89 A patch with a revision conflicts; patches without one both land.
90 Strategic merge patch of a custom kind is 415.
91 kubectl patch, label and annotate, and what they print when nothing changes.
92 kubectl apply in all its forms, with last-applied commands and prune.
93 kubectl diff: exit codes and output, on both sides.
# Server-side apply
94 Apply creates with 201, repeats with 200, and changes nothing when nothing changed.
95 Conflicts name their owners; force takes; equal values are shared.
96 Giving up fields removes them unless another manager owns them.
97 An atomic map conflicts whole, a granular one by key.
98 Ports are keyed by number and protocol; a duplicate key is refused.
99 Unknown fields, missing version, managedFields, old revisions and uids in an apply.
100 Create, update and patch are tracked as managers, without allocated fields.
101 Status has its managers of its own; fields of the other path are reset.
102 Tracking can be reset; kubectl moves from client-side to server-side apply.
103 Apply as a dry run shows what would be owned.
# Delete
104 A plain delete answers the object; kubectl waits until it is gone.
105 Finalizers: two phases, none added while going, the last one removed completes.
106 Propagation policies, and the collection of what owners leave behind.
107 Preconditions, invalid options, options in the query, dry run.
108 deletecollection with selectors, answers the list.
109 kubectl delete in its forms.
110 Deleted and created again: another uid; preconditions with the old one fail.
# Namespaces, events, others
111 The life of a namespace: label, finalization, Terminating, contents gone, protected names.
112 Events under both groups; namespaces agree; strict new ones; expiry; repeats are counted.
113 ConfigMaps and Secrets: immutable, stringData, base64, invalid keys; kubectl create.
114 Leader election on a Lease.
115 ServiceExport and ServiceImport.
116 The Cluster kind: schema, columns, short names, status.
# Auth
117 Certificates, tokens, OIDC, anonymous; the texts of 401 and 403.
118 Roles: verbs, names, subresources, paths; create on update.
119 Access reviews of every kind, in JSON and protobuf; kubectl auth.
120 Impersonation with groups, uid and extra; refusals.
121 One audit line for each request; Audit-ID is echoed.
122 Overload is 429 with Retry-After, and kubectl tries again.
# Transport
123 HTTP/2 and HTTP/1.1, many streams, keep-alive, streamed lists, reloaded certificates.
124 Protobuf bodies of every writable kind mean what their JSON means.
125 A client that goes in mid-watch leaves no memory behind.
# Ecosystem
126 scale, autoscale, rollout, port-forward and logs of a Service fail as upstream.
127 kubectl cluster-info, config and proxy.
128 Upstream's kubectl suite for services, namespaces, events, config maps and secrets.
129 Upstream's conformance cases that need no nodes, under their own names.
130 Client libraries of other languages: create, read, list, watch, patch.
131 What Helm, Terraform and Argo CD do, from their install to their end.
`;

export const items: readonly Item[] = parseItems(list);

function parseItems(text: string): readonly Item[] {
  let area = '';
  return text.split('\n').flatMap((line) => {
    if (line.startsWith('# ')) area = line.slice(2);
    const found = /^(\d+) (.+)$/.exec(line);
    return found === null ? [] : [{ number: Number(found[1]), area, text: found[2] ?? '' }];
  });
}
