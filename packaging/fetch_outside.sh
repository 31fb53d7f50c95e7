#!/bin/sh
# Fetches the packages whose everyday sounds `python -m training outside` measures, each into a folder of its own
# below FOLDER; they are for measuring only. TABLE is a file, or the name of one in training/assess: outside (taken
# when none is given), outside_second or outside_third. Kept are the files that the table names, checked by their sums,
# and the licences; what lies in an archive NAME is put into NAME.d. What is there already is not fetched again.
# Wants Debian 12 after `apt-get update`, unzip and, for a while, 5 GB; the later tables want npm, pip and Debian's
# non-free part, too. A package that cannot be had is named at the end: Debian drops a version once there is a newer
# one.
#   sh packaging/fetch_outside.sh FOLDER [TABLE]
set -eu
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "Usage: sh packaging/fetch_outside.sh FOLDER [TABLE]" >&2
    exit 2
fi
table=${2:-outside}
[ -f "$table" ] || table=$(dirname "$0")/../training/assess/$table.yaml
if [ ! -f "$table" ]; then
    echo "There is no table of everyday sounds ${2:-outside}." >&2
    exit 2
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
work=$folder/.fetching
rm -rf "$work"
mkdir "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Unpacks NAME=VERSION ($2) of a registry ($1) into the folder `whole`; nothing of it is run.
unpack() {
    name=${2%%=*}
    version=${2#*=}
    case $1 in
    debian) (cd fetched && apt-get -qq download "$2") && dpkg-deb -x fetched/*.deb whole ;;
    npm) npm pack --silent --pack-destination fetched "$name@$version" >/dev/null && tar -xzf fetched/*.tgz -C whole ;;
    pypi)
        pip download --quiet --no-deps --only-binary :all: --dest fetched "$name==$version" &&
            unzip -q fetched/*.whl -d whole
        ;;
    *) echo "There is no registry $1." >&2 && return 1 ;;
    esac
}

# Moves the files of which `listed` holds sum and path, and the licences, from `whole` to the package's folder ($1).
keep() {
    cut -c 67- listed >names
    while IFS= read -r name; do
        archive=whole/${name%%.d/*}
        if [ ! -e "whole/$name" ] && [ -f "$archive" ]; then
            unzip -q "$archive" "${name#*.d/}" -d "$archive.d" || continue
        fi
    done <names
    (cd whole && find . -type f | grep -iE '/(copyright|copying|licen[cs]e[^/]*|metadata|package\.json)$') >>names || :
    while IFS= read -r name; do
        [ -f "whole/$name" ] || continue
        mkdir -p "$1/$(dirname "$name")"
        mv "whole/$name" "$1/$name"
    done <names
}

# Whether all of `listed` lies in the package's folder ($1).
complete() {
    [ -d "$1" ] && (cd "$1" && sha256sum --check --status "$work/listed" 2>/dev/null)
}

# REGISTRY:NAME=VERSION SUM  PATH, a line for each sound. Of YAML this knows what the tables need: of a package its
# name, then its registry, then its sounds, each with path and sum in this order, and nothing in quotes.
awk '$1 == "-" && $2 == "package:" { package = $3; registry = "debian" }
    $1 == "registry:" { registry = $2 }
    $1 == "-" && $2 == "path:" { sub(/^ *- path: */, ""); path = $0 }
    $1 == "sha256:" { print registry ":" package, $2 "  " path }' "$table" >"$work/sounds"
if [ ! -s "$work/sounds" ]; then
    echo "$table names no sounds." >&2
    exit 2
fi
cd "$work"
failed=""
for entry in $(cut -d ' ' -f 1 sounds | uniq); do
    package=${entry#*:}
    home=$folder/${package%%=*}
    awk -v entry="$entry" '$1 == entry { print substr($0, length(entry) + 2) }' sounds >listed
    complete "$home" && continue
    rm -rf fetched whole
    mkdir fetched whole
    echo "$package"
    if unpack "${entry%%:*}" "$package"; then
        keep "$home"
    fi
    complete "$home" || failed="$failed $package"
done
if [ -n "$failed" ]; then
    echo "Not all of their sounds could be had:$failed" >&2
    exit 1
fi
