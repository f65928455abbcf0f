#!/bin/sh
# What first weights are worth on real radiographs: FracAtlas' upper limbs in five folds, from random
# weights, from the shipped ones, and from these after the lower limbs.
#
#   scripts/fracatlas_folds.sh DATA [NETWORK ...]
#
# DATA is the download of FracAtlas, unpacked. NETWORK is mobilenet, efficientnet or convnext, by
# default all. Finished steps are skipped and interrupted ones are resumed. The last step writes the
# scores and the table of docs/training.md; it needs all networks.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
data=$1
shift
networks=${*:-mobilenet efficientnet convnext}

for set in data lower_limb_data; do
    "$python" -m elbow_core.prepare --config configs/fracatlas/$set.yaml --root "$data"
done
for network in $networks; do
    config=configs/fracatlas/folds_$network.yaml
    run=runs/fracatlas/$network
    "$python" -m elbow_jax.crossval --config "$config" --folds 5
    "$python" -m elbow_jax.crossval --config "$config" --folds 5 --init null --run "${run}_random"
    "$python" -m elbow_jax.train --config "$config" --resume --run "${run}_lower_limb_first" \
        --data.prepared data/fracatlas/lower_limb_192
    "$python" -m elbow_jax.crossval --config "$config" --folds 5 \
        --init "${run}_lower_limb_first" --run "${run}_lower_limb"
done
[ $# -gt 0 ] || "$python" -m scripts.fracatlas_folds
