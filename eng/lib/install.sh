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
    [ ${#packages[@]} -eq 0 ] || install_packages "${packages[@]}"
}

# install_packages PACKAGE... by apt-get, as root or by sudo.
install_packages() {
    local packages=("$@")
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Please install what Debian calls: ${packages[*]}" >&2
        return 2
    fi
    local as_root=() log
    if [ "$(id -u)" != 0 ]; then
        as_root=(sudo)
        agreed "These are missing: ${packages[*]}. Install them by 'sudo apt-get install'?" || {
            echo "Install them by hand and run this again: sudo apt-get install ${packages[*]}" >&2
            return 2
        }
    fi
    log=$(mktemp)
    echo "Installing ${packages[*]} ..." >&2
    "${as_root[@]}" apt-get update -qq >/dev/null 2>&1 || true # an old list may still do
    # By env: sudo keeps no variables, and a question of a package would wait for ever behind the log.
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        echo "Installing ${packages[*]} failed; install them by hand and run this again" >&2
        return 2
    fi
    rm -f "$log"
}

# Whether the person agrees to something beyond this folder: asks where somebody can answer, takes --yes (REXEC_INSTALL_YES=1) for
# a yes, and says how to give it where nobody can.
agreed() {
    [ "${REXEC_INSTALL_YES:-}" != 1 ] || return 0
    if ! [ -t 0 ]; then
        echo "$1 Nobody can answer here: say --yes (REXEC_INSTALL_YES=1) to agree." >&2
        return 1
    fi
    local answer
    read -r -p "$1 [y/N] " answer || return 1
    [[ $answer == [yY]* ]]
}

# The SDK that Microsoft's script put into the home folder, where the system has none or an older one.
use_dotnet() {
    local home_sdk=${HOME:-/root}/.dotnet
    if ! has_sdk && [ -x "$home_sdk/dotnet" ]; then
        # Ours and the SDK's own words need no data of languages (libicu), which a bare system lacks.
        export PATH="$home_sdk:$PATH" DOTNET_ROOT="$home_sdk" DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
    fi
}

has_sdk() { dotnet --list-sdks 2>/dev/null | grep -q '^10\.'; }

# The SDK is not in Debian 12: use a package where a distribution has one, else Microsoft's script, else say what to do.
require_dotnet() {
    export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_GENERATE_ASPNET_CERTIFICATE=false
    export DOTNET_CLI_HOME=${DOTNET_CLI_HOME:-${HOME:-/tmp}}
    use_dotnet
    ! has_sdk || return 0
    if apt-cache show dotnet-sdk-10.0 >/dev/null 2>&1; then
        install_packages dotnet-sdk-10.0 # also where there is a dotnet, of another version
        return
    fi

    local folder=${HOME:-/root}/.dotnet script
    if agreed "The .NET 10 SDK is missing, and this system's package lists do not have it. Fetch it by Microsoft's script (dot.net) into $folder?"; then
        install_missing curl:curl file:/etc/ssl/certs/ca-certificates.crt:ca-certificates || return
        script=$(mktemp)
        if curl -fsSL https://dot.net/v1/dotnet-install.sh -o "$script" && bash "$script" --channel 10.0 --install-dir "$folder" >&2; then
            rm -f "$script"
            use_dotnet
            ! has_sdk || return 0
            script=""
        fi
        rm -f "$script"
        echo "Fetching the SDK failed." >&2
    fi
    echo "Install the .NET 10 SDK as the README's section \"The .NET SDK by hand\" says, then run this again." >&2
    return 2
}
