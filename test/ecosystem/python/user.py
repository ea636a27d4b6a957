# What a user of Python's Kubernetes client does, in the order of the functions below. Prints one
# line of JSON a step, which says what came back; the test compares all lines. Input: a kubeconfig.

import json
import logging
import sys
import threading

import yaml
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock

NAMESPACE = "python"


def say(what, **facts):
    print(json.dumps({"what": what, **facts}, sort_keys=True), flush=True)


def refused(call):
    try:
        call()
    except ApiException as error:
        body = json.loads(error.body)
        return [error.status, body["reason"]]
    return None


def service(name, port=80):
    return client.V1Service(
        metadata=client.V1ObjectMeta(name=name, labels={"from": "python"}),
        spec=client.V1ServiceSpec(
            selector={"app": name}, ports=[client.V1ServicePort(name="http", port=port)]
        ),
    )


def create_and_read(core):
    say("version", minor=client.VersionApi().get_code().minor)
    body = client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE))
    say("namespace", phase=core.create_namespace(body).status.phase)
    for at in range(5):
        core.create_namespaced_service(NAMESPACE, service(f"s-{at}"))
    found = core.read_namespaced_service("s-0", NAMESPACE)
    say("read", type=found.spec.type, target=found.spec.ports[0].target_port,
        has_address=bool(found.spec.cluster_ip),
        is_dated=found.metadata.creation_timestamp.tzinfo is not None)
    say("again", refused=refused(
        lambda: core.create_namespaced_service(NAMESPACE, service("s-0"))))
    say("invalid", refused=refused(
        lambda: core.create_namespaced_service(NAMESPACE, service("s-9", port=70000))))
    say("absent", refused=refused(lambda: core.read_namespaced_service("s-9", NAMESPACE)))
    say("dry run", name=core.create_namespaced_service(
        NAMESPACE, service("s-8"), dry_run="All").metadata.name,
        afterwards=refused(lambda: core.read_namespaced_service("s-8", NAMESPACE)))
    core.create_namespaced_secret(NAMESPACE, client.V1Secret(
        metadata=client.V1ObjectMeta(name="password"), string_data={"a": "b"}))
    say("secret", data=core.read_namespaced_secret("password", NAMESPACE).data)


def list_in_pages(core):
    pages, token = [], None
    while True:
        page = core.list_namespaced_service(NAMESPACE, limit=2, _continue=token)
        pages.append([item.metadata.name for item in page.items])
        say("page", items=pages[-1], remaining=page.metadata.remaining_item_count)
        token = page.metadata._continue
        if not token:
            break
    selected = core.list_service_for_all_namespaces(label_selector="from=python")
    say("selected", names=sorted(item.metadata.name for item in selected.items))
    by_field = core.list_namespaced_service(NAMESPACE, field_selector="metadata.name=s-3")
    say("selected by field", names=[item.metadata.name for item in by_field.items])
    raw = core.list_namespaced_service(NAMESPACE, _preload_content=False)
    say("raw", kind=json.loads(raw.data)["kind"])


def patch(core):
    def ports(name):
        found = core.read_namespaced_service(name, NAMESPACE)
        return [[port.name, port.port] for port in found.spec.ports]

    more = {"spec": {"ports": [{"name": "https", "port": 443}]}}
    # A dict is sent as a strategic merge patch, a list as a JSON patch.
    core.patch_namespaced_service("s-0", NAMESPACE, more)
    say("strategic merge patch", ports=sorted(ports("s-0")))
    core.patch_namespaced_service("s-0", NAMESPACE, [
        {"op": "test", "path": "/metadata/labels/from", "value": "python"},
        {"op": "replace", "path": "/spec/ports", "value": [{"name": "only", "port": 8080}]}])
    say("JSON patch", ports=ports("s-0"))
    merging = client.ApiClient()
    merging.set_default_header("Content-Type", "application/merge-patch+json")
    client.CoreV1Api(merging).patch_namespaced_service(
        "s-0", NAMESPACE, {"metadata": {"labels": None}})
    say("merge patch", labels=core.read_namespaced_service("s-0", NAMESPACE).metadata.labels)
    say("failed test", refused=refused(lambda: core.patch_namespaced_service(
        "s-0", NAMESPACE, [{"op": "test", "path": "/spec/type", "value": "NodePort"}])))
    found, replaced = replace_type(core)
    say("replaced", type=replaced.spec.type, has_port=bool(replaced.spec.ports[0].node_port))
    say("stale", refused=refused(
        lambda: core.replace_namespaced_service("s-1", NAMESPACE, found)))
    status = {"status": {"loadBalancer": {}}}
    say("status", name=core.patch_namespaced_service_status("s-1", NAMESPACE, status).metadata.name)


def replace_type(core):
    """Whoever places the Service writes it too, so that one may have to look again."""
    for _ in range(10):
        found = core.read_namespaced_service("s-1", NAMESPACE)
        found.spec.type = "NodePort"
        try:
            return found, core.replace_namespaced_service("s-1", NAMESPACE, found)
        except ApiException as error:
            if error.status != 409:
                raise
    raise TimeoutError("always a conflict")


def follow(core):
    listed = core.list_namespaced_config_map(NAMESPACE)
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="followed"), data={"a": "1"})
    core.create_namespaced_config_map(NAMESPACE, body)
    core.patch_namespaced_config_map("followed", NAMESPACE, {"data": {"a": "2"}})
    core.delete_namespaced_config_map("followed", NAMESPACE)
    seen, watcher = [], watch.Watch()
    for event in watcher.stream(core.list_namespaced_config_map, NAMESPACE, timeout_seconds=20,
                                resource_version=listed.metadata.resource_version):
        seen.append([event["type"], event["object"].data["a"]])
        if event["type"] == "DELETED":
            watcher.stop()
    say("watched", events=seen)
    # One that ends by itself.
    quiet = watch.Watch().stream(core.list_namespaced_service, NAMESPACE, timeout_seconds=1)
    # A Service may change meanwhile, by itself.
    say("watched what is there", names=sorted({event["object"].metadata.name for event in quiet}))


def apply(api):
    config_maps = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="ConfigMap")

    def applied(value, manager, force=False):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"},
                "data": {"shared": value, manager: "mine"}}
        return config_maps.server_side_apply(
            body=body, namespace=NAMESPACE, field_manager=manager, force_conflicts=force)

    first = applied("a", "one")
    say("applied", data=first.data.to_dict(), managers=[
        [entry.manager, entry.operation] for entry in first.metadata.managedFields])
    again = applied("a", "one").metadata.resourceVersion
    say("unchanged", same=again == first.metadata.resourceVersion)
    say("conflict", refused=refused(lambda: applied("b", "two")))
    say("forced", data=applied("b", "two", force=True).data.to_dict())


def discover(api):
    dynamic_client = dynamic.DynamicClient(api)
    resources = dynamic_client.resources
    for kind in ("Service", "EndpointSlice", "Lease", "Event", "RoleBinding"):
        found = resources.search(kind=kind)
        say("discovered", kind=kind, versions=sorted(
            {each.group_version for each in found if type(each).__name__ == "Resource"}))
    leases = resources.get(api_version="coordination.k8s.io/v1", kind="Lease")
    name = {"namespace": NAMESPACE, "name": "held"}
    leases.create(body={"metadata": {"name": "held"}, "spec": {"holderIdentity": "me"}},
                  namespace=NAMESPACE)
    leases.patch(body={"spec": {"leaseDurationSeconds": 15}},
                 content_type="application/merge-patch+json", **name)
    say("dynamic", spec=leases.get(**name).spec.to_dict(), listed=len(leases.get(namespace=NAMESPACE).items))
    events = leases.watch(namespace=NAMESPACE, timeout=1)
    say("dynamic watch", events=[[event["type"], event["object"].metadata.name] for event in events])
    leases.delete(**name)
    say("dynamic delete", left=len(leases.get(namespace=NAMESPACE).items))


def create_from_text(api):
    text = """
apiVersion: v1
kind: ConfigMap
metadata: {name: from-text}
data: {on: "yes"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: from-text}
rules: [{apiGroups: [""], resources: [services], verbs: [get]}]
"""
    made = utils.create_from_yaml(api, yaml_objects=yaml.safe_load_all(text), namespace=NAMESPACE)
    say("from YAML", kinds=[type(each[0]).__name__ for each in made])


def elect():
    order, done = [], threading.Event()

    def started():
        order.append("leads")
        done.set()
        sys.exit(0)  # ends this thread, which is the callback's own

    lock = ConfigMapLock("election", NAMESPACE, "candidate")
    election = electionconfig.Config(lock, lease_duration=17, renew_deadline=15, retry_period=5,
                                     onstarted_leading=started, onstopped_leading=None)
    candidate = leaderelection.LeaderElection(election)
    threading.Thread(target=candidate.run, daemon=True).start()
    done.wait(15)
    held = client.CoreV1Api().read_namespaced_config_map("election", NAMESPACE)
    record = json.loads(held.metadata.annotations["control-plane.alpha.kubernetes.io/leader"])
    say("elected", order=order, holder=record["holderIdentity"])


def until_gone(core, selector):
    """Finalizers take their time."""
    listed = core.list_namespaced_service(NAMESPACE, label_selector=selector)
    left = {item.metadata.name for item in listed.items}
    watcher = watch.Watch()
    if left:
        for event in watcher.stream(core.list_namespaced_service, NAMESPACE, label_selector=selector,
                                    resource_version=listed.metadata.resource_version,
                                    timeout_seconds=20):
            if event["type"] == "DELETED":
                left.discard(event["object"].metadata.name)
            if not left:
                watcher.stop()


def delete(core):
    answer = core.delete_namespaced_service("s-4", NAMESPACE)
    say("deleted", answer=type(answer).__name__)
    uid = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="another"))
    say("of another uid", refused=refused(
        lambda: core.delete_namespaced_service("s-3", NAMESPACE, body=uid)))
    core.delete_collection_namespaced_service(NAMESPACE, label_selector="from=python")
    until_gone(core, "from=python")
    say("left", names=[item.metadata.name for item in core.list_namespaced_service(NAMESPACE).items])
    reviews = client.AuthorizationV1Api()
    review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(
        resource_attributes=client.V1ResourceAttributes(verb="delete", resource="services")))
    say("may", allowed=reviews.create_self_subject_access_review(review).status.allowed)


def main():
    logging.disable(logging.CRITICAL)
    config.load_kube_config(sys.argv[1])
    core, api = client.CoreV1Api(), client.ApiClient()
    create_and_read(core)
    list_in_pages(core)
    patch(core)
    follow(core)
    apply(api)
    discover(api)
    create_from_text(api)
    elect()
    delete(core)
    say("done")


main()
