#!/usr/bin/env bash
# Measure all figures that need a GPU, in one call of under 8 minutes, into a folder.
#
#   bash benchmarks/gpu.sh benchmarks/results/gpu    # in a clone, with the package installed
#
# PYTHON names the interpreter, DATA_DIR the folder with MNIST (without it, random pixels serve).
# First everything is compiled, several benchmarks at a time, into torch's cache on disk. Then each
# benchmark is measured alone within its share of the time. A benchmark that is cut short leaves the
# rows that it has.
set -uo pipefail
out=${1:?usage: gpu.sh FOLDER}
python=${PYTHON:-python3}
data=${DATA_DIR:-data}
mkdir -p "$out"
export PYTHONUNBUFFERED=1
# The benchmarks are not installed: they are found in this clone.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}

"$python" -c 'import torch, pyro_gmvae, benchmarks; assert torch.cuda.is_available()' || {
  echo "gpu.sh needs a CUDA device, and the package installed from this clone: pip install -e ." >&2
  exit 2
}

small=(step --hidden 8,8 64,64 --methods exact concrete --clusters 10
  --variants stock-elbo ours-recorded ours-compiled hand-compiled --across none)
large=(step --clusters 2 200 --rounds 3)
limit=(limit --methods exact concrete --clusters 10 200 --variants ours-compiled
  --precision bfloat16)
scaling=(scaling --methods exact concrete --clusters 2 20 200)
epoch=(epoch --methods exact concrete sparse --ways eager auto compiled bfloat16 --data-dir "$data")

run() { # seconds, benchmark and its options
  timeout --kill-after=5 "$1" "$python" -m benchmarks "$2" --device cuda "${@:3}"
}

compile_all() {
  echo "== compiling"
  local once=(--rounds 1 --steps 1 --quiet)
  run 110 "${small[@]}" "${once[@]}" &
  run 110 "${limit[@]}" "${once[@]}" &
  run 110 "${epoch[@]}" --ways compiled bfloat16 --rows 1024 --epochs 2 --quiet &
  run 110 "${scaling[@]}" --clusters 20 "${once[@]}" &
  for method in exact concrete sparse marginal; do
    run 110 "${large[@]}" --methods "$method" --variants ours-compiled hand-compiled "${once[@]}" &
  done
  wait
}

failed=0
measure() { # seconds, name, benchmark and its options
  echo "== $2"
  run "$1" "${@:3}" --out "$out/$2.json" || {
    echo "$2 ended early, exit code $?" >&2
    failed=1
  }
}

{
  compile_all
  measure 40 step_small "${small[@]}" --steps 50
  measure 75 epoch "${epoch[@]}"
  measure 45 limit "${limit[@]}" --profile
  measure 140 step "${large[@]}" --steps 20
  measure 65 scaling "${scaling[@]}" --steps 20
  exit "$failed"
} 2>&1 | tee "$out/gpu.log"
