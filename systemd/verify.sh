#!/bin/sh
# verify.sh UNIT_DIR SERVICE PROGRAM: systemd-analyze has nothing to say about the units, and would if there were something.
# Manual pages are not installed where this runs, and the program is the one just built.
set -eu
units=$1 service=$2 program=$(realpath "$3")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for f in "$units"/*.socket "$service"; do
	sed -e '/^Documentation=/d' -e "s,^ExecStart=[^ ]*,ExecStart=$program," "$f" >"$dir/$(basename "$f")"
done
cd "$dir"
said=$(systemd-analyze verify ./kiteboxd.service ./*.socket 2>&1) || { echo "$said"; exit 1; }
[ -z "$said" ] || { echo "$said"; exit 1; }
sed -i 's,^Type=.*,Type=nonsense,' kiteboxd.service
[ -n "$(systemd-analyze verify ./kiteboxd.service 2>&1)" ] || { echo "a broken unit passed"; exit 1; }
