#!/bin/sh
# Checks for what pip cannot bring: the venv module, a C++ compiler and Python's headers (hnswlib is compiled), and on
# Linux the libraries that Qt and PortAudio are linked with, a font, and Xvfb for the test in a real window. What counts
# is whether a thing is there, not whether a package is installed.
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

# What the Qt libraries and the xcb and offscreen plug-ins of PySide6_Essentials name as needed, and PortAudio.
libraries="
libEGL.so.1=libegl1 libGL.so.1=libgl1 libglib-2.0.so.0=libglib2.0-0 libgthread-2.0.so.0=libglib2.0-0
libfontconfig.so.1=libfontconfig1 libfreetype.so.6=libfreetype6 libdbus-1.so.3=libdbus-1-3 libz.so.1=zlib1g
libzstd.so.1=libzstd1 libX11.so.6=libx11-6 libX11-xcb.so.1=libx11-xcb1 libxkbcommon.so.0=libxkbcommon0
libxkbcommon-x11.so.0=libxkbcommon-x11-0 libxcb.so.1=libxcb1 libxcb-cursor.so.0=libxcb-cursor0
libxcb-glx.so.0=libxcb-glx0 libxcb-icccm.so.4=libxcb-icccm4 libxcb-image.so.0=libxcb-image0
libxcb-keysyms.so.1=libxcb-keysyms1 libxcb-randr.so.0=libxcb-randr0 libxcb-render.so.0=libxcb-render0
libxcb-render-util.so.0=libxcb-render-util0 libxcb-shape.so.0=libxcb-shape0 libxcb-shm.so.0=libxcb-shm0
libxcb-sync.so.1=libxcb-sync1 libxcb-util.so.1=libxcb-util1 libxcb-xfixes.so.0=libxcb-xfixes0
libxcb-xkb.so.1=libxcb-xkb1 libportaudio.so.2=libportaudio2"
if [ "$(uname -s)" = Linux ]; then
    missing="$missing$("$python" - $libraries <<'END'
import ctypes, pathlib, shutil, sys
missing = []
for library, package in (pair.split("=") for pair in sys.argv[1:]):
    try:
        ctypes.CDLL(library)
    except OSError:
        missing.append(package)
if not any(path.suffix in (".ttf", ".otf", ".ttc") for path in pathlib.Path("/usr/share/fonts").rglob("*")):
    missing.append("fonts-dejavu-core")
for program, package in (("Xvfb", "xvfb"), ("xdotool", "xdotool")):
    if shutil.which(program) is None:
        missing.append(package)
print("".join(f" {package}" for package in dict.fromkeys(missing)), end="")
END
)"
fi

[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing system packages:$missing"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "Please install these system packages first:$missing (on Debian: sudo apt install$missing)" >&2
    exit 1
fi
