# The newcomer of eng/newcomer: the first process on a bare system, whose argument is who types. Tells NAME=VALUE lines, says all the rest on
# standard error. /srv holds what was put there for it.
set -euo pipefail
person=$1
exec 3>&1 1>&2 # the telling is for eng/newcomer

tell() { echo "$1=$2" >&3; }
megabytes() { du -sm "$@" 2>/dev/null | awk '{ sum += $1 } END { print sum + 0 }'; }
disk() { du -smx --exclude=/srv --exclude=/tmp --exclude=/var/cache / 2>/dev/null | cut -f1; }
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# Types a line as the person would: in a login shell, in the folder that comes first.
types() {
    local folder=$1
    shift
    echo "[$person $folder] $*"
    if [ "$person" = root ]; then
        (cd "$folder" && HOME=/root bash -lc "$*")
    else
        (cd "$folder" && runuser -u "$person" -- env HOME="$home" USER="$person" bash -lc "$*")
    fi
}

block() { cat "/srv/blocks/$1"; }

export DEBIAN_FRONTEND=noninteractive

# What the README takes for granted: git, and a user who may use sudo.
apt-get update -qq
apt-get install -y -qq --no-install-recommends git >/dev/null
home=/root
if [ "$person" != root ]; then
    apt-get install -y -qq --no-install-recommends sudo >/dev/null
    useradd --create-home --shell /bin/bash "$person"
    echo "$person ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/newcomer
    home=/home/$person
fi
# The repository's owner is root; whoever clones by a network never meets this.
git config --system --add safe.directory '*'
if [ -f /srv/NuGet.Config ]; then
    install -D -m 644 /srv/NuGet.Config "$home/.nuget/NuGet/NuGet.Config"
    chown -R "$person:" "$home/.nuget"
fi

# Where Microsoft's script cannot be had, curl's answer for its address is one that copies /srv/sdk; any other address is curl's own affair.
if [ -x /srv/sdk/dotnet ]; then
    cat >/srv/curl <<'END'
#!/bin/bash
[[ " $* " == *" https://dot.net/v1/dotnet-install.sh "* ]] || exec /usr/bin/curl.package "$@"
output=/dev/stdout
while [ $# -gt 0 ]; do [ "$1" != -o ] || output=$2; shift; done
cat >"$output" <<'SCRIPT'
folder=$HOME/.dotnet
while [ $# -gt 0 ]; do [ "$1" != --install-dir ] || folder=$2; shift; done
mkdir -p "$folder" && cp -r /srv/sdk/. "$folder/"
SCRIPT
END
    chmod +x /srv/curl
    cat >/etc/apt/apt.conf.d/91newcomer <<'END'
DPkg::Post-Invoke { "if [ -x /usr/bin/curl ] && [ ! -e /usr/bin/curl.package ]; then mv /usr/bin/curl /usr/bin/curl.package; cp /srv/curl /usr/bin/curl; fi"; };
END
fi
apt-get clean
before=$(disk)

began=$SECONDS
clone=$(block clone)
types "$home" "set -e
${clone//<this repository>//srv/remoteexec.git}"
tell clone $((SECONDS - began))
checkout=$home/remoteexec

# Starts the server and waits until it serves, at the port that the README names.
is_ready() {
    local answer=""
    { exec 4<>/dev/tcp/127.0.0.1/8981; } 2>/dev/null || return 1
    printf 'GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n' >&4
    read -r answer <&4 || true
    exec 4>&-
    [[ $answer == *" 200 "* ]]
}
server=""
start_up() {
    types "$checkout" "exec $(block up) --yes" &
    server=$!
    until is_ready; do
        kill -0 "$server" 2>/dev/null || { echo "./eng/up ended before it served"; exit 1; }
        sleep 0.05
    done
}
stop_up() {
    local process code=0
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/exe")" != "$checkout/out/bin/rexec-server" ] || kill -TERM "${process#/proc/}"
    done
    wait "$server" || code=$?
    [ "$code" = 0 ] || { echo "the server ended with $code"; exit 1; }
}

began=$SECONDS
start_up
tell up $((SECONDS - began))
tell debs "$(megabytes /var/cache/apt/archives)"
tell nupkgs "$(find "$home/.nuget/packages" -name '*.nupkg' -printf '%s\n' | awk '{ sum += $1 } END { printf "%d", sum / 1e6 }')"
tell sdk "$(megabytes "$home/.dotnet" /usr/lib/dotnet)"
tell nuget "$(megabytes "$home/.nuget/packages")"
tell checkout "$(megabytes "$checkout")"
tell disk $(($(disk) - before))

# The newcomer's own: a Bazel and a workspace. A small one that wants nothing of the internet.
if command -v bazel >/dev/null; then
    apt-get install -y -qq --no-install-recommends g++ python3 default-jdk-headless >/dev/null
else
    apt-get install -y -qq --no-install-recommends bazel-bootstrap >/dev/null
fi
types "$checkout" "tests/RemoteExec.EndToEnd/make-bazel-workspace --libs 4 --sources 2 --tests 2 ~/workspace"

summary() { sed -n 's/^INFO: \([0-9]* processes\{0,1\}: .*\)/\1/p' "$1" | tail -n 1; }
# Bazel's server, which it leaves behind, must not hold the pipe.
build() { types "$home/workspace" "$(block bazel)" >/tmp/bazel.log 2>&1 </dev/null || { cat /tmp/bazel.log; exit 1; }; }
began=$SECONDS
build
tell build $((SECONDS - began))
tell ran "$(summary /tmp/bazel.log)"
summary /tmp/bazel.log | grep -qE '[0-9]+ remote[,.]'
types "$home/workspace" "bazel clean"
began=$SECONDS
build
tell again $((SECONDS - began))
tell hit "$(summary /tmp/bazel.log)"
summary /tmp/bazel.log | grep -qE '[0-9]+ remote cache hit'
! summary /tmp/bazel.log | grep -qE '[0-9]+ remote[,.]'
types "$home/workspace" "bazel shutdown"

# One command, remotely: in a shell of its own, which knows nothing of what eng/up found.
types "$checkout" "set -e
$(block rexec)
./app || test \$? = 42
rm -r app out/hello"

# A second day: a start, and a change.
stop_up
began=$(milliseconds)
start_up
tell start $(($(milliseconds) - began))
stop_up
types "$checkout" "touch src/RemoteExec.Cli/Program.cs"
start_up
stop_up
