#!/usr/bin/env bash
# Installs Python's Kubernetes client, pinned by requirements.txt beside this file, into a folder
# outside the checkout that is named by these pins. Where it is there already, nothing is done.
# Ends with 3 and says why where it cannot be had: its tests are then skipped with that reason.
set -euo pipefail
cd "$(dirname "$0")"

cache="${XDG_CACHE_HOME:-$HOME/.cache}/isthmus-peers"
pins="$(sha256sum requirements.txt | cut -c1-16)"
folder="$cache/python-client-$pins"
[ -x "$folder/bin/python" ] && exit 0

mkdir -p "$cache"
made="$(mktemp -d "$folder.XXXXXX")"
trap 'rm -rf "$made"' EXIT

missing() {
  echo "$1" >"$folder.reason"
  echo "Python's Kubernetes client: $1"
  exit 3
}
command -v python3 >/dev/null || missing 'no python3'
python3 -m venv "$made" >"$made/log" 2>&1 || missing 'python3 makes no venv (python3-venv)'
timeout 180 "$made/bin/python" -m pip install --quiet --disable-pip-version-check \
  --no-deps --only-binary=:all: --require-hashes -r requirements.txt >"$made/log" 2>&1 ||
  missing "pip: $(grep -m1 ERROR "$made/log" || tail -1 "$made/log")"
# Another run may have been first, which is as good. Python finds its packages beside itself.
mv -T "$made" "$folder" 2>/dev/null || true
rm -f "$folder.reason"
