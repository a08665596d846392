# Functions shared by the scripts of this folder: install what is missing, or say what to install.

# install_missing NAME:PACKAGE... installs PACKAGE when the command NAME is absent;
# file:PATH:PACKAGE looks for a path.
install_missing() {
    local item kind packages=()
    for item in "$@"; do
        kind=${item%%:*}
        case $kind in
            file) local rest=${item#file:}; [ -e "${rest%%:*}" ] || packages+=("${rest#*:}") ;;
            *) command -v "$kind" >/dev/null 2>&1 || packages+=("${item#*:}") ;;
        esac
    done
    [ ${#packages[@]} -gt 0 ] || return 0

    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Please install what Debian calls: ${packages[*]}" >&2
        return 2
    fi
    local as_root=() log
    log=$(mktemp)
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    echo "Installing ${packages[*]} ..." >&2
    "${as_root[@]}" apt-get update -qq >/dev/null 2>&1 || true # an old list may still do
    if ! DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y --no-install-recommends "${packages[@]}" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        echo "Installing ${packages[*]} failed; install them by hand and run this again" >&2
        return 2
    fi
    rm -f "$log"
}

# The SDK is not in Debian 12: use a package where a distribution has one, else say what to do.
require_dotnet() {
    export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_GENERATE_ASPNET_CERTIFICATE=false
    export DOTNET_CLI_HOME=${DOTNET_CLI_HOME:-${HOME:-/tmp}}
    if ! dotnet --list-sdks 2>/dev/null | grep -q '^10\.'; then
        if apt-cache show dotnet-sdk-10.0 >/dev/null 2>&1; then
            install_missing dotnet:dotnet-sdk-10.0
        else
            echo "The .NET 10 SDK is missing and this system's package lists do not have it." >&2
            echo "Install it as Microsoft's page \"Install .NET on Linux\" says, then run this again." >&2
            return 2
        fi
    fi
}
