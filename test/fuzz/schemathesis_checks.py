"""Checks for schemathesis: a 5xx is a fault unless kube-apiserver answers the same request so, too."""

import re

import schemathesis

DECLARED = re.compile(
    r"resourceVersion should not be set on objects to be created"
    r"|strconv\.Parse(Uint|Int): "
    r"|resourceVersion: Invalid value: "
    r"|failed to create typed patch object "
    r"|failed to convert new object "
    r"|Internal error occurred: failed to allocate "
    r"|Timeout: Too large resource version: "
    r"|map: .* does not contain declared merge key: "
    r"|unknown patch type: "
    r"|list element types are not identical: "
    r"|cannot merge lists without merge key for "
    r"|merging lists cannot yet be specified in the patch"
    r"|value for key \d+ is not a map"
    r"|expected a .*, but received a "
    r"|The order in patch list:"
    r"|unsupported role reference kind: "
    r"|duplicate nodePort: ",
    re.S,
)


@schemathesis.check
def no_fault(ctx, response, case):
    """Nothing is an internal fault, and each refusal is a Status that says its code."""
    status = response.status_code
    if status < 400:
        return
    if "json" not in (response.headers.get("content-type") or [""])[0]:
        assert status < 500, f"{status} {response.text}"
        return
    body = response.json()
    assert body.get("kind") == "Status" and body.get("code") == status, f"no Status: {body}"
    assert status < 500 or DECLARED.match(body.get("message", "")), f"{status} {body}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Lists only: a watch has no end and another schema. Other tests have watches."""
    case.query = {name: value for name, value in (case.query or {}).items() if name != "watch"}


# What Go writes of a time that is not set; kube-apiserver's schema says string, and so does ours.
UNSET = ("eventTime", "firstTimestamp", "lastTimestamp")
UNSET_V1 = ("deprecatedFirstTimestamp", "deprecatedLastTimestamp")


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Events are answered with null times, as kube-apiserver answers them."""
    schemas = raw_schema.get("definitions") or raw_schema.get("components", {}).get("schemas", {})
    for name, schema in schemas.items():
        if not name.endswith(".Event"):
            continue
        for field in UNSET + UNSET_V1:
            known = schema.get("properties", {}).get(field)
            if known is not None:
                known["nullable"] = known["x-nullable"] = True
