#!/bin/sh
# Checks for what pip cannot bring: the venv module, a C++ compiler and Python's headers (hnswlib is compiled).
# As root on a system with apt the missing packages are installed; otherwise they are named in one line.
set -u
python=${1:-python3}
missing=""

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null || {
    echo "Earshot needs Python 3.11 or 3.12; \"$python\" is $("$python" --version 2>&1)." >&2
    exit 1
}
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
command -v c++ >/dev/null 2>&1 || missing="$missing g++"
"$python" - <<'EOF' 2>/dev/null || missing="$missing python3-dev"
import pathlib, sys, sysconfig
sys.exit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").is_file())
EOF

[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing system packages:$missing"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "Please install these system packages first:$missing (on Debian: sudo apt install$missing)" >&2
    exit 1
fi
