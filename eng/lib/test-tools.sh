# What the tests use beyond what the programs need: real clients and reference programs.

install_test_tools() {
    install_missing \
        gcc:gcc file:/usr/include/stdio.h:libc6-dev g++:g++ make:make \
        python3:python3 file:/usr/lib/python3/dist-packages/grpc:python3-grpcio \
        file:/usr/include/grpcpp/grpcpp.h:libgrpc++-dev b3sum:b3sum file:/bin/kill:procps \
        systemd-socket-activate:systemd file:/sbin/mkfs.ext4:e2fsprogs mount:mount chromium:chromium \
        file:/usr/bin/bazel-4:bazel-bootstrap npm:npm promtool:prometheus
    install_bazel_2
}

# Bazel 2.1.0, a native binary with its own Java; npm is where it can still be had. Into this checkout,
# so that nothing outside of it changes.
install_bazel_2() {
    local folder=out/tools/bazel-2.1.0
    local program=$folder/node_modules/@bazel/bazel-linux_x64/bazel-2.1.0-linux-x86_64
    if [ ! -x "$program" ]; then
        echo "Installing Bazel 2.1.0 ..." >&2
        mkdir -p "$folder"
        if ! npm install --prefix "$folder" --cache "$PWD/out/tools/npm-cache" --no-audit --no-fund --no-save \
            @bazel/bazel-linux_x64@2.1.0 >"$folder/install.log" 2>&1; then
            cat "$folder/install.log" >&2
            echo "Installing Bazel 2.1.0 by npm failed" >&2
            return 2
        fi
        chmod +x "$program"
    fi
}
