# The earlier commit that some rows of the benchmarks are compared with, built once into out/baseline/COMMIT from this
# repository's own history. Both programs then run in turn, in one run and on one machine.

baseline_commit=3ca9a1716ba3a0950cfbcc68690b35ea2421cd26

build_baseline() {
    local folder=out/baseline/$baseline_commit
    export REXEC_BASELINE=$PWD/$folder
    [ ! -e "$folder/.complete" ] || return 0

    if ! git cat-file -e "$baseline_commit^{commit}" 2>/dev/null; then
        echo "eng/bench: this clone has no commit $baseline_commit to compare with; fetch the whole history (git fetch --unshallow)" >&2
        return 2
    fi
    echo "Building $baseline_commit to compare with ..." >&2
    rm -rf "$folder"
    mkdir -p "$folder"
    git archive "$baseline_commit" | tar -x -C "$folder"
    "$folder/eng/build"
    touch "$folder/.complete"
}
