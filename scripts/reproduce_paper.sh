#!/usr/bin/env bash
# The report's three stages, one after the other: pretrain, train and fuse, then Table 4.1.
#
#   scripts/reproduce_paper.sh DATA [--scale small]
#
# DATA holds MURA-v1.1/ (as Stanford gives it out) and elbow/ (the elbow set, files named after their
# findings; fit `patient` and `rules` of configs/data/elbow.yaml to them). A GPU: some days on one
# with 24 GB (`python -m elbow_jax.train --config F --dry-run` tells). What is finished is skipped
# and what was interrupted goes on, so the same command may be given again.
#
# --scale small runs the same files with the small variants of the networks, from random weights,
# at 64 pixels and for one epoch, in some ten minutes on two cores: a rehearsal that shows that the
# data, the disk and the chain hold, and no result.
#
# Gives runs/paper/ (small: runs/paper_small/): the runs, table_4_1.md and report_test/.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }

[ $# -ge 1 ] || usage
data=$1
shift
scale=full
if [ $# -gt 0 ]; then
  [ $# -eq 2 ] && [ "$1" = --scale ] && { [ "$2" = small ] || [ "$2" = full ]; } || usage
  scale=$2
fi
for needed in MURA-v1.1 elbow; do
  [ -d "$data/$needed" ] || { echo "error: $data/$needed: no such folder" >&2; exit 2; }
done
python=.venv/bin/python
[ -x "$python" ] || python=python

runs=runs/report
mura=data/prepared/mura_384
elbow=data/prepared/elbow_584
shrink_mura=() shrink_elbow=() shrink=()
if [ "$scale" = small ]; then
  runs=runs/paper_small
  mura=data/prepared/mura_64
  elbow=data/prepared/elbow_64
  shrink_mura=(--out "$mura" --preprocess.size 64 --preprocess.sigma 0.8)
  shrink_elbow=(--out "$elbow" --preprocess.size 64 --preprocess.sigma 0.8
    --split '{method: fractions}')
  shrink=(--model.variant small --epochs 1)
fi

say() { printf '\n== %s\n' "$*"; }
train() {  # configuration, run, prepared data, further arguments
  local config=$1 run=$2 prepared=$3
  shift 3
  say "$config"
  "$python" -m elbow_jax.train --config "configs/paper/$config.yaml" --resume \
    --run "$runs/$run" --data.prepared "$prepared" "${shrink[@]}" "$@"
}

say "Prepare MURA"
"$python" -m elbow_core.prepare --config configs/data/mura.yaml --root "$data/MURA-v1.1" \
  "${shrink_mura[@]}"
say "Prepare the elbow set"
"$python" -m elbow_core.prepare --config configs/data/elbow.yaml --root "$data/elbow" \
  "${shrink_elbow[@]}"

for network in convnext efficientnet mobilenet; do
  start=()
  [ "$scale" = full ] || start=(--init null)  # no small network has published weights
  train "pretrain_$network" "pretrain_$network" "$mura" "${start[@]}"
  train "train_$network" "$network" "$elbow" --init "$runs/pretrain_$network"
done
train fuse ensemble "$elbow" --init \
  "{convnext_tiny: $runs/convnext, efficientnetv2_s: $runs/efficientnet, mobilenetv3_large: $runs/mobilenet}"

predictions=()
for run in convnext efficientnet mobilenet ensemble; do
  say "Evaluate $run"
  "$python" -m elbow_jax.evaluate --run "$runs/$run" --split test
  predictions+=("$runs/$run/predictions_test.csv")
done
say "Table 4.1"
"$python" -m elbow_core.evaluation.report "${predictions[@]}" --out "$runs/report_test"
"$python" scripts/compare_with_paper.py --ours "$runs/report_test/metrics.json" \
  --out "$runs/table_4_1.md"
