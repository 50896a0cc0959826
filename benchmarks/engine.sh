#!/usr/bin/env bash
# Every row of the engine's speed table, with peaks of memory and the scaling picture.
#
#     benchmarks/peers.sh FOLDER          (once: installs the packages that it compares with)
#     benchmarks/engine.sh [FOLDER]       (default: ~/.cache/convexviz-peers)
#
# About a quarter of an hour on a quiet machine with two cores; everything on one thread, CPU
# seconds. Only Adam and L-BFGS run two at a time: each counts its own CPU seconds.
set -uo pipefail
cd "$(dirname "$0")/.."
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/convexviz-peers}
python=${PYTHON:-.venv/bin/python}
export PYTHONPATH=$PWD OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

run() {
    echo "== $* ($(date +%T))"
    "$python" "$@"
}

run benchmarks/denoiser_gated.py
run benchmarks/gram.py
run -m benchmarks.constrained
run -m benchmarks.peers --seconds 70 --scnn "$folder/scnn/bin/python" \
    --adelie "$folder/adelie/bin/python"
run benchmarks/gated_wide.py --adelie "$folder/adelie/bin/python"
run benchmarks/network_bound.py
run benchmarks/scaling.py
run benchmarks/adaptive.py --jobs 2 --share 0.5
