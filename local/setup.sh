#!/usr/bin/env bash
# Puts in place what this repository needs to run here: .venv, the Python requirements, Azurite.
# Does nothing when nothing changed. `setup.sh bench-tools` adds nginx and wrk, which only tests and benchmarks use.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wanted_python="$(cat .python-version)"
wanted_node=20
requirements=(.python-version requirements.txt requirements-dev.txt)
venv_stamp=.venv/.installed-from
azurite_stamp=node_modules/.installed-from
python=

give_up() {
    printf '%s\n' "$1" >&2
    exit 1
}

is_wanted_python() {
    [ "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$wanted_python" ]
}

check_python() {
    local candidate candidates=("python$wanted_python" python3 python)
    [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        if is_wanted_python "$candidate"; then
            python="$candidate"
            return
        fi
    done
    give_up "Python $wanted_python was not found: install it (for example with \`pyenv install $wanted_python\`, or from python.org), or name it with \`make PYTHON=/path/to/python$wanted_python run\`."
}

check_node() {
    local remedy="install Node $wanted_node or newer with npm (for example from nodejs.org)" version major
    command -v node >/dev/null || give_up "Node was not found, and the local Table Storage needs it: $remedy."
    version="$(node --version 2>/dev/null)" || version=
    version="${version#v}"
    major="${version%%.*}"
    case "$major" in
        '' | *[!0-9]* | ?????*) give_up "The program \`node\` in PATH does not tell its version, as Node would: $remedy." ;;
    esac
    [ "$major" -ge "$wanted_node" ] || give_up "Node $version is too old for the local Table Storage: $remedy."
    command -v npm >/dev/null || give_up "npm was not found, and it installs the local Table Storage: $remedy."
}

# Runs a command and keeps its output out of sight, unless it fails.
quietly() {
    local output
    output="$(mktemp)"
    if ! "$@" >"$output" 2>&1 </dev/null; then
        cat "$output" >&2
        rm -f "$output"
        give_up "This failed: $*"
    fi
    rm -f "$output"
}

# A stamp is a copy of what was installed from; it is written last, so a broken installation is done again.
is_current() { [ -f "$1" ] && cmp -s "$1" <(cat "${@:2}"); }
has_venv() { [ -x .venv/bin/python ] && is_current "$venv_stamp" "${requirements[@]}"; }
has_azurite() { is_current "$azurite_stamp" package-lock.json; }

install_python_requirements() {
    local started=$SECONDS
    if ! is_wanted_python .venv/bin/python; then
        printf 'Making .venv with Python %s (a few seconds) ...\n' "$wanted_python"
        quietly "$python" -m venv --clear .venv
    fi
    printf 'Installing the Python requirements (about a minute the first time) ...\n'
    quietly .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input -r requirements-dev.txt
    cat "${requirements[@]}" >"$venv_stamp"
    printf '  done after %d s\n' $((SECONDS - started))
}

install_azurite() {
    local started=$SECONDS
    printf 'Installing Azurite, the local Table Storage, with npm (about half a minute) ...\n'
    quietly npm ci --no-audit --no-fund
    cat package-lock.json >"$azurite_stamp"
    printf '  done after %d s\n' $((SECONDS - started))
}

install_bench_tools() {
    command -v nginx >/dev/null && command -v wrk >/dev/null && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        give_up "nginx and wrk are needed to measure and to test the measuring: install both with your package manager (Debian: \`sudo apt-get install nginx-light wrk\`; macOS: \`brew install nginx wrk\`)."
    fi
    printf 'Installing nginx and wrk with apt-get (about half a minute) ...\n'
    quietly apt-get update
    quietly env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends nginx-light wrk
}

if [ "${1:-}" = bench-tools ]; then
    install_bench_tools
    exit
fi

# Everything that may be missing is found out before minutes are spent on installing.
has_venv || check_python
has_azurite || check_node
has_venv || install_python_requirements
has_azurite || install_azurite
