#!/bin/sh
# Make the shipped weights anew: render and prepare two synthetic sets, train the three small
# networks first on elbows, then on all body parts.
#
#   scripts/pretrain_synthetic.sh
#
# Finished steps are skipped and interrupted ones are resumed. The weights end in elbow_jax/weights,
# and the digests that are printed last belong into elbow_jax/training/initial/shipped.py.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}

for data in elbow parts; do
    "$python" -m elbow_core.prepare --config configs/synthetic/${data}_data.yaml
done
for network in mobilenet efficientnet convnext; do
    for stage in elbow parts; do
        "$python" -m elbow_jax.train --config configs/synthetic/${stage}_$network.yaml --resume
    done
done
"$python" -m scripts.ship_weights --runs runs/synthetic
