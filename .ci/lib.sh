# What ./test and .ci/run share: sections, Pythons, environments and the wheel.
# Sourced by both, in the root of the repository.
#
# What is made here lies outside the tree, in a cache that the next run finds again:
#   target/CHECKOUT           what cargo built there; CHECKOUT is a hash of its path. Cargo tells the
#                             crates of two checkouts apart by their times alone
#   requirements/VERSION-KEY  an environment with pinned requirements; KEY is a hash of them
# The package itself goes into a throw-away environment on top of the latter, so that runs of
# several checkouts do not meet, and a run that was killed leaves nothing half-installed.

set -euo pipefail
shopt -s inherit_errexit

cache="${XDG_CACHE_HOME:-$HOME/.cache}/mp_tqdm"
mkdir -p "$cache/requirements"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target/$(pwd -P | sha256sum | cut -c1-12)}"
mkdir -p "$CARGO_TARGET_DIR"
touch "$CARGO_TARGET_DIR"
export HYPOTHESIS_STORAGE_DIRECTORY="$cache/hypothesis"
export MYPY_CACHE_DIR="$cache/mypy"
export RUFF_CACHE_DIR="$cache/ruff"
# Nothing but the environments made here may decide what is imported and where pip installs.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

heading() { printf '\n== %s\n' "$*"; }

# section TITLE COMMAND...: runs the command under a heading and prints its seconds.
section() {
  local title="$1" begin=$SECONDS
  shift
  heading "$title"
  "$@"
  printf -- '-- %s: %s s\n' "$title" $((SECONDS - begin))
}

# in_background NAME COMMAND...: starts the command, its output kept for `finish NAME`, which waits
# for it and prints that output under a heading.
declare -A background_pid
in_background() {
  local name="$1"
  shift
  set -m # a process group of its own, so that it can be ended as a whole
  section "$name" "$@" >"$work/$name.log" 2>&1 </dev/null &
  set +m
  background_pid[$name]=$!
}
finish() {
  local name="$1" status=0
  wait "${background_pid[$name]}" || status=$?
  unset "background_pid[$name]"
  cat "$work/$name.log"
  return $status
}

# check TITLE COMMAND...: runs a command as a section; what comes after it runs whether it fails or
# not. A process behind `wait`, since bash ignores errexit in whatever stands before `||`.
failed=()
check() {
  in_background "$@"
  finish "$1" || failed+=("$1")
}
# verdict: ends the run, naming what failed. It says nothing when nothing did.
verdict() {
  [ ${#failed[@]} -gt 0 ] || exit 0
  heading "failed"
  printf '%s\n' "${failed[@]}"
  exit 1
}

# make_work: $work, a directory of this run; it goes at the run's end, with what still works in it.
make_work() {
  work="$(mktemp -d "${TMPDIR:-/tmp}/mp-tqdm-run.XXXXXX")"
  trap end_work EXIT
}
end_work() {
  local pid
  for pid in "${background_pid[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
  rm -rf "$work"
}

# pythons: "3.11 /path/to/python" for each usable CPython from 3.10 on, one a version, the one
# called `python3` first. Usable: it has a GIL, since the one wheel serves no free-threaded Python,
# and it can make environments, which Debian's can only with python3-venv.
pythons() {
  local candidate
  for candidate in python3 python3.1{0,1,2,3} "$HOME"/.pyenv/versions/*/bin/python3 \
    "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}"/*/bin/python3; do
    command -v "$candidate" >/dev/null || continue
    "$candidate" -c '
import ensurepip, os, sys, sysconfig, venv
major, minor = sys.version_info[:2]
if (major, minor) >= (3, 10) and sys.implementation.name == "cpython":
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        print(f"{major}.{minor}", os.path.realpath(sys.executable))
' 2>/dev/null || true
  done | awk '!seen[$1]++'
}

# requirements VERSION PYTHON EXTRA...: makes the cached environment with the requirements of these
# extras, unless it is there, and prints its path.
requirements() {
  local version="$1" python="$2" pins home
  shift 2
  pins="$("$python" .ci/requirements.py "$@")"
  home="$cache/requirements/$version-$("$python" -VV | cat - <(echo "$pins") | sha256sum | cut -c1-12)"
  (
    flock 9
    if [ ! -e "$home/complete" ]; then
      rm -rf "$home"
      "$python" -m venv "$home"
      "$home/bin/python" -m pip install --quiet --only-binary :all: --no-binary deepspeed \
        -r <(echo "$pins") >&2
    fi
    touch "$home/complete"
  ) 9>"$home.lock"
  echo "$home"
}

# forget_old: what no run has used for a week; an environment with PyTorch is gigabytes.
forget_old() {
  local complete
  find "$cache/target" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} +
  for complete in $(find "$cache/requirements" -mindepth 2 -maxdepth 2 -name complete -mtime +7); do
    rm -rf "${complete%/complete}" "${complete%/complete}.lock"
  done
}

# install NAME REQUIREMENTS: makes the environment $work/NAME: those requirements and the wheel.
install() {
  local name="$1" home="$2" libraries='import sysconfig; print(sysconfig.get_path("purelib"))'
  "$home/bin/python" -m venv --without-pip "$work/$name"
  "$home/bin/python" -c "$libraries" | sed 's/.*/import site; site.addsitedir("&")/' \
    >"$("$work/$name/bin/python" -c "$libraries")/requirements.pth"
  "$home/bin/python" -m pip --python "$work/$name/bin/python" \
    install --quiet --no-deps --no-index "$work"/wheel/*.whl
}

# Programs that tests start, each with Debian's package. What lacks one says that it was skipped.
programs=(
  strace=strace valgrind=valgrind mpirun.openmpi=openmpi-bin mpiexec.hydra=mpich
  slurmctld=slurmctld slurmd=slurmd srun=slurm-client
)

# fetch_programs: installs those that are missing, where that can be done.
fetch_programs() {
  local program missing=()
  for program in "${programs[@]}"; do
    command -v "${program%=*}" >/dev/null || missing+=("${program#*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not installed, and not to be had here: ${missing[*]}"
    return 0
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# build_wheel: the one wheel, in $work/wheel.
build_wheel() {
  "$1/bin/maturin" build --release --locked --quiet \
    --interpreter "$main_python" --out "$work/wheel"
  ls "$work/wheel"
}

# fetch_requirements: the environments that need only the network, while cargo builds.
fetch_requirements() {
  local version python
  requirements "$main_version" "$main_python" test bench examples launchers shells
  while read -r version python; do
    requirements "$version" "$python" test
  done <"$work/others"
}

# build: finds the Pythons, begins to fetch what they need, and builds the wheel; then $checkers is
# the environment with them.
build() {
  pythons >"$work/pythons"
  if [ ! -s "$work/pythons" ]; then
    echo "no usable CPython 3.10 or newer found: it must be able to run \`-m venv\`" >&2
    return 1
  fi
  heading "Pythons"
  cat "$work/pythons"
  read -r main_version main_python <"$work/pythons"
  export PYO3_PYTHON="$main_python" # one for all of cargo's builds, else each builds pyo3 again
  tail -n +2 "$work/pythons" | { grep -E '^3\.1[0-3] ' || true; } >"$work/others"
  forget_old

  in_background "programs" fetch_programs
  in_background "requirements" fetch_requirements
  checkers="$(requirements "$main_version" "$main_python" lint)"
  section "wheel" build_wheel "$checkers"
}

# install_all: installs the wheel: in `lint` with the checkers, in `main` with all that tests need,
# and in a light `3.X` for each line of $work/others, the other Pythons that it is meant for.
install_all() {
  local version python
  finish "requirements"
  finish "programs" || echo "some could not be installed"

  install lint "$checkers"
  install main "$(requirements "$main_version" "$main_python" test bench examples launchers shells)"
  while read -r version python; do
    install "$version" "$(requirements "$version" "$python" test)"
  done <"$work/others"
}
