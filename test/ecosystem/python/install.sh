#!/usr/bin/env bash
# Installs what Python's own registry has for the tests, into folders outside the checkout that are
# named by their pins: Python's Kubernetes client (requirements.txt), and moto's server with the aws
# command line (requirements-aws.txt). What is there already stays. Ends with 3 and says why where
# one of them cannot be had: its tests are then skipped with that reason.
set -euo pipefail
cd "$(dirname "$0")"

cache="${XDG_CACHE_HOME:-$HOME/.cache}/isthmus-peers"
mkdir -p "$cache"

# what, name of the folder, file of the pins
install() (
  pins="$(sha256sum "$3" | cut -c1-16)"
  folder="$cache/$2-$pins"
  [ -x "$folder/bin/python" ] && exit 0
  made="$(mktemp -d "$folder.XXXXXX")"
  trap 'rm -rf "$made"' EXIT
  missing() {
    echo "$1" >"$folder.reason"
    echo "$what: $1"
    exit 3
  }
  what="$1"
  command -v python3 >/dev/null || missing 'no python3'
  python3 -m venv "$made" >"$made/log" 2>&1 || missing 'python3 makes no venv (python3-venv)'
  timeout 180 "$made/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-deps --only-binary=:all: --require-hashes -r "$3" >"$made/log" 2>&1 ||
    missing "pip: $(grep -m1 ERROR "$made/log" || tail -1 "$made/log")"
  # Another run may have been first, which is as good. Python finds its packages beside itself.
  mv -T "$made" "$folder" 2>/dev/null || true
  rm -f "$folder.reason"
)

failed=0
install "Python's Kubernetes client" python-client requirements.txt || failed=$?
install "moto and the aws command line" python-aws requirements-aws.txt || failed=$?
exit "$failed"
