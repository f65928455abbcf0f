#!/bin/sh
# Make the shipped weights anew: render and prepare the synthetic set, train the small
# MobileNetV3.
#
#   scripts/pretrain_synthetic.sh
#
# Finished steps are skipped and interrupted ones are resumed. The weights end in elbow_jax/weights,
# and the digests that are printed last belong into elbow_jax/training/initial/shipped.py.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}

"$python" -m elbow_core.prepare --config configs/synthetic/data.yaml
"$python" -m elbow_jax.train --config configs/synthetic/mobilenet.yaml --resume
"$python" -m scripts.ship_weights --runs runs/synthetic
