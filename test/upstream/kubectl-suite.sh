#!/usr/bin/env bash
# Runs one function of upstream's kubectl shell suite against a server that is already there.
#
#   kubectl-suite.sh TREE PORT FUNCTION TOKEN    FUNCTION such as service, of run_service_tests
#
# TREE is a copy of Kubernetes' test/cmd, hack and fixtures, with kubectl in _output/bin. The
# suite's own setup would build and start a kube-apiserver, so only its functions are used.
set -o errexit -o nounset -o pipefail
cd "$1"
export SECURE_API_PORT=$2
# The suite colours what it says, and ends where the terminal can do no such thing.
export TERM=xterm
what=$3
token=$4

source hack/lib/init.sh
source hack/lib/test.sh
source test/cmd/legacy-script.sh

# What the federation serves; without "*" the suite leaves out what needs Pods.
export SUPPORTED_RESOURCES=(services namespaces configmaps secrets events clusterroles roles selfsubjectreviews)

kube::util::ensure-temp-dir
trap 'stop-proxy; rm -rf "${KUBE_TEMP}"' EXIT
kube::util::ensure-gnu-sed
export HOME="${KUBE_TEMP}"
export CONTEXT=test
kubectl config set-credentials test-admin --token "${token}"
kubectl config set-cluster local --insecure-skip-tls-verify --server "https://127.0.0.1:${SECURE_API_PORT}"
kubectl config set-context "${CONTEXT}" --user test-admin --cluster local
kubectl config use-context "${CONTEXT}"

# Upstream runs with an authorizer that allows what no role allows.
kubectl create clusterrolebinding upstream --clusterrole=cluster-admin --group=the-group >/dev/null 2>&1 || true

ALLOW_SKEW=true WHAT="${what}" KUBE_JUNIT_REPORT_DIR="${KUBE_TEMP}/junit" runTests
