#!/usr/bin/env bash
# Steps for a machine that has a card for a short time and no network; README.md says how to use them.
#   benchmarks/gpu/lease.sh prepare       beforehand, with Qiskit and a network: fills .lease and .lease-peers
#   benchmarks/gpu/lease.sh STEP [FOLDER] [OPTION...]
# The steps, the most valuable first: test, measure, compare, peers, rest. Each ends by itself within ten minutes. FOLDER
# gets results and output as they come (default: $OUT, or else .lease/results). Options are passed to `python -m gpu`, in
# the step test to pytest. LEASE names another folder than .lease, and LEASE_SECONDS another limit.
set -euo pipefail
export PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1
limit=${LEASE_SECONDS:-570} # seconds that a step may take
last=90                     # seconds at its end in which no point is begun
most=64                     # MiB that each of the two folders may have
# Wheels are not brought for what the machine has: CuPy's needs, compute-sanitizer, and Matplotlib with its own.
there=(numpy scipy nvidia-cuda-sanitizer-api matplotlib pillow fonttools contourpy kiwisolver)

prepare() {
  rm -rf "$lease/wheels" "$lease-peers"
  .ci/collect_wheels "$lease/wheels" "${there[@]}"
  python3 -m pip download --no-deps --only-binary=:all: --python-version 3.12 --platform manylinux2014_x86_64 \
    -d "$lease-peers" custatevec-cu13
  gpu collect "$lease/circuits"
  gpu predict --cards h200 --results "$lease/predicted" || echo "there will be no predictions to compare with" >&2
  for folder in "$lease" "$lease-peers"; do
    size=$(du -sm "$folder" | cut -f1)
    echo "$folder: $size MiB"
    [ "$size" -le "$most" ] || { echo "$folder has more than $most MiB" >&2; exit 1; }
  done
}

gpu() { (cd benchmarks && exec python3 -m gpu "$@"); }

# Puts the wheels of a folder where Python finds them, or only those that are named.
unpack() {
  local folder=$1 wheels=() name
  shift
  for name in "${@:-*}"; do
    mapfile -t -O ${#wheels[@]} wheels < <(compgen -G "$folder/$name-[0-9]*.whl")
  done
  [ ${#wheels[@]} -eq 0 ] || python3 -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "${wheels[@]}"
}

# Runs a command, and interrupts it when the time of the step is up.
in_time() { timeout --signal=INT --kill-after=20 $((limit > SECONDS ? limit - SECONDS : 1)) "$@"; }

points() {
  unpack "$lease/wheels" click psutil threadpoolctl # Qiskit would only make cold starts longer.
  # Points that an earlier step has brought home are not measured again.
  cp -n "$lease"/results/gpu-*.jsonl "$results" 2> /dev/null || true
  cd benchmarks
  in_time python3 -m gpu --circuits "$lease/circuits" --results "$results" --stop-after $((limit - last - SECONDS)) "$@"
  cd ..
}

compare() { gpu compare "$results" "$lease/predicted" "$@"; }

run() {
  case "$step" in
    test)
      unpack "$lease/wheels"
      in_time .ci/gpu -q --maxfail 20 "$@" ;;
    measure)
      points --parts questions,families --sizes 20,28 --budget 10 "$@"
      compare || true ;;
    compare) compare "$@" ;;
    peers)
      unpack "$lease-peers"
      points --parts families --sizes 20,28 --budget 15 --peers cuStateVec "$@" ;;
    rest) points --parts cold,batches,families --sizes 20,24,30 --budget 15 "$@" ;;
  esac
}

root=$(realpath "$(dirname "$0")/../..")
lease=$(realpath -m "${LEASE:-$root/.lease}")
[[ ${2:-} != -* ]] || set -- "$1" "" "${@:2}" # Options may follow the step.
results=$(realpath -m "${2:-${OUT:-$lease/results}}")
cd "$root"
step=${1:-}
case "$step" in
  test | measure | compare | peers | rest) ;;
  prepare) prepare; exit ;;
  *) sed -n '2,/^set/s/^# //p' "$0" >&2; exit 2 ;;
esac
mkdir -p "$results"
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}"
run "${@:3}" 2>&1 | tee -a "$results/$step.log"
