#!/bin/sh
# Builds the Debian package from a release build: packaging/build-deb.sh BINARY OUTDIR. The same input gives the same bytes.
set -eu
binary=$(realpath "$1")
out=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
mkdir -p "$out"
out=$(realpath "$out")
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' "$here/debian/changelog")
told=$("$binary" version | sed 's/^waybill \([^,]*\),.*/\1/')
if [ "$told" != "$version" ]; then
    echo "build-deb: the program says $told, packaging/debian/changelog says $version" >&2
    exit 1
fi
export SOURCE_DATE_EPOCH=$(date -d "$(sed -n 's/^ -- .*>  //p' "$here/debian/changelog" | head -1)" +%s)
export TZ=UTC LC_ALL=C.UTF-8

stage=$root/.build/deb/waybill-$version
rm -rf "$stage"
mkdir -p "$stage/completions" "$stage/man"
cp "$binary" "$stage/waybill"
cp -r "$here/debian" "$stage/debian"
cp "$root/agent.conf" "$root/CHANGELOG.md" "$here/wms-access.conf" "$stage/"
cp -r "$root/Examples" "$root/docs" "$here/prometheus" "$stage/"
find "$stage" -name __pycache__ -prune -exec rm -rf {} +
"$binary" completion bash | sed '1{/^#!/d}' >"$stage/completions/waybill"
"$binary" completion zsh >"$stage/completions/_waybill"
"$binary" completion fish >"$stage/completions/waybill.fish"
"$binary" --experimental-dump-help | python3 "$here/man/program.py" "$version" >"$stage/man/waybill.1"
python3 "$here/man/configuration.py" "$version" <"$root/agent.conf" >"$stage/man/waybill.conf.5"
find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

cd "$stage"
dpkg-buildpackage --build=binary --no-sign --no-check-builddeps >"$root/.build/deb/build.log" 2>&1 || {
    tail -40 "$root/.build/deb/build.log" >&2
    exit 1
}
cp ../waybill_"$version"_*.deb "$out/"
for deb in "$out"/waybill_"$version"_*.deb; do
    size=$(stat -c %s "$deb")
    echo "$deb: $size bytes (limit 8388608)"
    [ "$size" -le 8388608 ]
done
