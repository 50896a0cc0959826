#!/usr/bin/env bash
# Installs the packages that benchmarks compare with, away from .venv: they pin old versions.
#
#     benchmarks/peers.sh [FOLDER]        (default: ~/.cache/convexviz-peers)
#
# Then: python -m benchmarks.peers --adelie FOLDER/adelie/bin/python --scnn FOLDER/scnn/bin/python
set -euo pipefail
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/convexviz-peers}
python=${PYTHON:-python3}

"$python" -m venv "$folder/adelie"
"$folder/adelie/bin/pip" install -q "adelie==1.1.52" "numpy<2" scikit-learn scikit-image

# pyscnn declares torch and torchvision without versions: torchvision is never imported, and the
# newest torch is gigabytes of CUDA. Its other needs are few.
"$python" -m venv "$folder/scnn"
"$folder/scnn/bin/pip" install -q "torch==2.13.0" "numpy<3" scipy scikit-learn scikit-image tqdm \
    opt_einsum typing_extensions cvxpy
"$folder/scnn/bin/pip" install -q --no-deps "pyscnn==0.0.10" linalg_backends
echo "peers are in $folder"
