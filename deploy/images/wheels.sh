#!/usr/bin/env bash
# Fetches the wheels of a lock file into deploy/wheels/, each checked by its hash, for a build that has no network:
# the Dockerfile then installs from that folder alone.
#   deploy/images/wheels.sh                              what the app image needs
#   deploy/images/wheels.sh loadtest/requirements.txt    what the load image needs beside it
# PYTHON names another Python with pip, ARCH another machine's (aarch64).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=$root/deploy/wheels
version=3.11 abi=cp311    # of the images' Python
arch=${ARCH:-$(uname -m)}
newest_glibc=36           # Debian 12 has 2.36
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python=${PYTHON:-$root/.venv/bin/python}
"$python" -m pip --version >/dev/null 2>&1 || {
    python3 -m venv "$work/venv" || { echo "Python has no pip here: apt-get install python3-venv." >&2; exit 1; }
    python=$work/venv/bin/python
}
platforms=()
for minor in $(seq 5 "$newest_glibc"); do platforms+=(--platform "manylinux_2_${minor}_$arch"); done

mkdir -p "$target"
for lock in "${@:-requirements.txt}"; do
    # pip judges "python_full_version < 3.11.3" by the Python that runs here, which is not the image's: fetch them all.
    sed -E 's/ ; python_(full_)?version [^\\]*//' "$root/$lock" >"$work/lock.txt"
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
        --python-version "$version" --implementation cp --abi "$abi" --abi abi3 --abi none "${platforms[@]}" \
        --dest "$target" --requirement "$work/lock.txt"
done
echo "$(find "$target" -name '*.whl' | wc -l) wheels, $(du -sh "$target" | cut -f1), in deploy/wheels/"
