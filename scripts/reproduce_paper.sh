#!/usr/bin/env bash
# Run the paper's three stages in sequence (pretrain, train, fuse) and write its Table 4.1.
#
#   scripts/reproduce_paper.sh DATA [--scale small]
#
# DATA holds MURA-v1.1/ (as Stanford distributes it) and elbow/ (the elbow set; each file is named
# after its finding: fit `patient` and `rules` of configs/data/elbow.yaml to the names). Needs a GPU:
# some days on one with 24 GB (`python -m elbow_jax.train --config F --dry-run` estimates). The
# command may be repeated: finished stages are skipped and an interrupted one resumes.
#
# --scale small runs the same configurations with the small networks, from random weights, at 64
# pixels and for one epoch: some ten minutes on two cores. It checks that data, disk and commands
# work together; its metrics mean nothing.
#
# Writes runs/paper/ (small: runs/paper_small/): the runs, table_4_1.md and report_test/.
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

runs=runs/paper
mura=data/prepared/mura_384
elbow=data/prepared/elbow_584
small_mura=() small_elbow=() small=()
if [ "$scale" = small ]; then
  runs=runs/paper_small
  mura=data/prepared/mura_64
  elbow=data/prepared/elbow_64
  small_mura=(--out "$mura" --preprocess.size 64 --preprocess.sigma 0.8)
  small_elbow=(--out "$elbow" --preprocess.size 64 --preprocess.sigma 0.8
    --split '{method: fractions}')
  small=(--model.variant small --epochs 1)
fi

say() { printf '\n== %s\n' "$*"; }
train() {  # arguments: configuration, run, prepared data, overrides
  local config=$1 run=$2 prepared=$3
  shift 3
  say "$config"
  "$python" -m elbow_jax.train --config "configs/paper/$config.yaml" --resume \
    --run "$runs/$run" --data.prepared "$prepared" "${small[@]}" "$@"
}

say "Prepare MURA"
"$python" -m elbow_core.prepare --config configs/data/mura.yaml --root "$data/MURA-v1.1" \
  "${small_mura[@]}"
say "Prepare the elbow set"
"$python" -m elbow_core.prepare --config configs/data/elbow.yaml --root "$data/elbow" \
  "${small_elbow[@]}"

for network in convnext efficientnet mobilenet; do
  init=()
  [ "$scale" = full ] || init=(--init null)  # the small networks have no published weights
  train "pretrain_$network" "pretrain_$network" "$mura" "${init[@]}"
  train "train_$network" "$network" "$elbow" --init "$runs/pretrain_$network"
done
train fuse ensemble "$elbow" --init \
  "{convnext_tiny: $runs/convnext, efficientnetv2_s: $runs/efficientnet, mobilenetv3_large: $runs/mobilenet}"

predictions=()
validation=()
for run in convnext efficientnet mobilenet ensemble; do
  say "Evaluate $run"
  "$python" -m elbow_jax.evaluate --run "$runs/$run" --split test
  predictions+=("$runs/$run/predictions_test.csv")
  validation+=("$runs/$run/predictions_validation.csv")
done
say "Table 4.1"
"$python" -m elbow_core.evaluation.report "${predictions[@]}" --validation "${validation[@]}" \
  --fused ensemble --manifest "$elbow/manifest.csv" --archive "$elbow" --out "$runs/report_test"
"$python" -m scripts.compare_with_paper --ours "$runs/report_test/metrics.json" \
  --out "$runs/table_4_1.md"
