#!/usr/bin/env bash
# Fuzzes each decoder for its share of SECONDS (default 60); stops at the first input that breaks one.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-60}
targets=(csv fixed jsonl groups text)
scratch=../../.build-fuzz
swift=${SWIFT:-swift}

resources=$(${SWIFTC:-swiftc} -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
driver=$(find -L "$resources/clang/lib" -name "libclang_rt.fuzzer_no_main-$(uname -m).a" -print -quit)
[ -n "$driver" ] || { echo "this toolchain has no libFuzzer beneath $resources" >&2; exit 1; }

"$swift" build -c release --scratch-path "$scratch" -Xswiftc -warnings-as-errors \
    -Xlinker "$driver" -Xlinker -lstdc++ -Xlinker -lm

# A crash is libFuzzer's to report.
export SWIFT_BACKTRACE=enable=no
fuzz=$scratch/release/fuzz
work=$scratch/corpus
common=(-timeout=10 -rss_limit_mb=2048 -max_len=1024 -print_final_stats=1 -verbosity=0)

echo "== planted"
mkdir -p "$work/planted"
if WAYBILL_FUZZ_PLANT=1 "$fuzz" text -max_total_time=60 -seed=1 "${common[@]}" -max_len=16 "-artifact_prefix=$work/planted/" \
    > "$work/planted.log" 2>&1; then
    echo "the planted crash was not found: the fuzzer is blind" >&2
    exit 1
fi
grep -q "planted crash" "$work/planted.log" || { cat "$work/planted.log"; exit 1; }

for target in "${targets[@]}"; do
    echo "== $target"
    mkdir -p "$work/$target"
    # What is found is kept beside the build; the seeds stay as they are.
    "$fuzz" "$target" "-max_total_time=$((seconds / ${#targets[@]} + 1))" "${common[@]}" \
        "-artifact_prefix=$scratch/crash-$target-" "$work/$target" "corpus/$target" > "$work/$target.log" 2>&1 ||
        { tail -40 "$work/$target.log"; echo "the input is in .build-fuzz/crash-$target-…" >&2; exit 1; }
    sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log" | sed 's/$/ inputs/'
done
