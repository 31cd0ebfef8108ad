#!/bin/sh
# Fails when the binary grew past its limit or pulls in full Foundation (which brings ICU).
set -eu
binary=$1
# Drop directories, three formats and the onboarding tool brought it from 31.2 to 32.4 MB: decision 15.
limit=$((32 * 1024 * 1024))

if nm "$binary" | grep -q ' ucol_'; then
    echo "check-binary: $binary holds ICU symbols: something imports full Foundation" >&2
    exit 1
fi
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
strip -o "$stripped" "$binary"
size=$(stat -c %s "$stripped")
echo "check-binary: $size bytes stripped (limit $limit), no ICU symbol"
[ "$size" -le "$limit" ]
