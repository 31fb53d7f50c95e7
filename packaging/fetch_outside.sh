#!/bin/sh
# Fetches the Debian packages whose everyday sounds `python -m training outside` measures, and unpacks each into a folder
# of its own below the given one. They are for measuring only. Wants Debian 12 after `apt-get update`, unzip
# and, for a while, 7 GB: one package keeps its sounds in an archive, NAME.zip, which is unpacked into NAME.zip.d.
#   sh packaging/fetch_outside.sh FOLDER
set -eu
table=$(cd "$(dirname "$0")/.." && pwd)/training/assess/outside.yaml
mkdir -p "$1"
cd "$1"
sed -n 's/^ *- package: //p' "$table" | while read -r package; do
    name=${package%%=*}
    [ -d "$name" ] && continue
    apt-get download "$package"
    dpkg-deb -x "$name"_*.deb "$name.part"
    find "$name.part" -name '*.zip' | while read -r archive; do
        unzip -q "$archive" 'audio/*' -d "$archive.d" || [ $? -eq 11 ] # 11: nothing of that name in it.
        rm "$archive"
    done
    mv "$name.part" "$name"
    rm "$name"_*.deb
done
