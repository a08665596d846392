#!/usr/bin/env bash
# The lane of eng/fuzz without a server: see there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
seconds=${1:-120}
seed=${2:-$RANDOM}
[ $# -le 2 ] || { echo "usage: eng/fuzz --parsers [SECONDS [SEED]]" >&2; exit 2; }

# shellcheck source=eng/lib/install.sh
. eng/lib/install.sh
require_dotnet
project=tests/RemoteExec.Fuzz
built=$project/bin/Release/net10.0
mkdir -p out
if ! dotnet build "$project" -c Release -v quiet --nologo >out/fuzz-build.log 2>&1; then
    cat out/fuzz-build.log >&2
    exit 2
fi

if ! command -v afl-fuzz >/dev/null || ! command -v sharpfuzz >/dev/null; then
    exec dotnet exec "$built/RemoteExec.Fuzz.dll" "$seconds" "$seed"
fi

# AFL sees which branches an input takes, in assemblies that were changed for it: copies.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -r "$built" "$folder/bin"
for room in Core Files Protocol Storage Assets Services Web; do
    DOTNET_ROLL_FORWARD=Major sharpfuzz "$folder/bin/RemoteExec.$room.dll"
done

mapfile -t targets < <(dotnet exec "$built/RemoteExec.Fuzz.dll" --targets)
each=$(((seconds + ${#targets[@]} - 1) / ${#targets[@]}))
mkdir -p "$folder/found"
export AFL_SKIP_BIN_CHECK=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1
code=0
for target in "${targets[@]}"; do
    dotnet exec "$built/RemoteExec.Fuzz.dll" --seeds "$target" "$folder/seeds/$target"
    log=$folder/$target.log
    # A start of the runtime is part of the first inputs: they get longer than others.
    if ! afl-fuzz -V "$each" -s "$seed" -t 10000 -m none -i "$folder/seeds/$target" -o "$folder/found/$target" \
        -- "$(command -v dotnet)" exec "$folder/bin/RemoteExec.Fuzz.dll" --afl "$target" >"$log" 2>&1; then
        tail -20 "$log" >&2
        code=2
        continue
    fi

    echo "$target: $(sed -n 's/^execs_done *: *//p' "$folder/found/$target/default/fuzzer_stats") inputs"
    for found in "$folder/found/$target"/default/{crashes,hangs}/id*; do
        [ -f "$found" ] || continue
        echo "$target, seed $seed: $(basename "$(dirname "$found")"): $(od -An -v -tx1 "$found" | tr -d ' \n')"
        code=1
    done
done

exit "$code"
