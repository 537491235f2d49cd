#!/usr/bin/env bash
# Finds out which build dependencies are missing and installs them through the system's package manager.
#
#     scripts/deps.sh [build|fuzz|test|check]     test adds what only the tests need, fuzz clang's fuzzer, check all of
#                                                 these and clang-tidy, patch, gcc with gcov and the sanitizers
#
# Nothing missing: prints nothing, changes nothing, exits 0. On a terminal it asks before it installs; with CI set or
# without a terminal it does not ask. Where it cannot install (no root, no sudo, an unknown system) it prints the names
# of the packages and exits 1. SKIP_DEPS=1 turns it off.
set -u

goal=${1:-build}
case $goal in build | fuzz | test | check) ;; *) echo "usage: scripts/deps.sh [build|fuzz|test|check]" >&2; exit 2 ;; esac
[ "${SKIP_DEPS:-0}" = 1 ] && exit 0
cd "$(dirname "$0")/.." || exit 1

# A compiler may stand behind a wrapper: "ccache gcc".
cc=${CC:-cc}
clang=${CLANG:-clang}
gcc=${GCC:-gcc}
libraries="ncursesw readline openblas libcjson sqlite3 libutf8proc"
case $goal in test | check) libraries="$libraries cmocka" ;; esac

# Homebrew keeps several of these libraries out of the default search path.
if [ "$(uname -s)" = Darwin ] && command -v brew >/dev/null; then
    for keg in ncurses readline openblas sqlite; do
        PKG_CONFIG_PATH=$(brew --prefix)/opt/$keg/lib/pkgconfig:${PKG_CONFIG_PATH:-}
    done
    export PKG_CONFIG_PATH
fi

have() { command -v "$1" >/dev/null 2>&1; }

needs_python() { [ "$goal" = test ] || [ "$goal" = check ]; }

# links COMPILER FLAGS: a compiler may be there without the runtime of its sanitizers.
links() {
    local out status
    out=$(mktemp)
    echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | $1 $2 -x c -o "$out" - 2>/dev/null
    status=$?
    rm -f "$out"
    return $status
}

# The missing parts, one word each. Without pkg-config no library can be seen, so all of them count as missing.
find_missing() {
    missing=
    # A compiler without the C library's headers is of no use either, hence the probe.
    echo '#include <stdlib.h>' | $cc -E -x c -o /dev/null - 2>/dev/null || missing="$missing compiler"
    have make || missing="$missing make"
    needs_python && ! have python3 && missing="$missing python3"
    if ! have pkg-config; then
        missing="$missing pkg-config $libraries"
    elif ! pkg-config --exists $libraries; then
        for lib in $libraries; do pkg-config --exists "$lib" || missing="$missing $lib"; done
    fi
    case $goal in fuzz | check) links "$clang" -fsanitize=fuzzer,address || missing="$missing clang clang-runtime" ;; esac
    if [ "$goal" = check ]; then
        have patch || missing="$missing patch"
        have "${CLANG_TIDY:-clang-tidy}" || missing="$missing clang-tidy"
        have "${GCOV:-gcov}" && links "$gcc" "-shared -fsanitize=thread" && links "$gcc" "-shared -fsanitize=address,undefined" ||
            missing="$missing gcc"
    fi
    [ -z "$missing" ]
}

# package SYSTEM PART: the system's name for a part.
package() {
    case $1:$2 in
    apt:compiler) case $cc in *clang*) echo clang libc6-dev ;; *) echo gcc libc6-dev ;; esac ;;
    dnf:compiler) case $cc in *clang*) echo clang glibc-devel ;; *) echo gcc glibc-devel ;; esac ;;
    pacman:compiler) case $cc in *clang*) echo clang ;; *) echo gcc ;; esac ;;
    brew:compiler) case $cc in *clang*) echo llvm ;; *) echo gcc ;; esac ;;
    brew:clang | brew:clang-*) echo llvm ;;
    dnf:clang-tidy) echo clang-tools-extra ;;
    dnf:clang-runtime) echo compiler-rt ;;
    pacman:clang-tidy) echo clang ;;
    pacman:clang-runtime) echo compiler-rt ;;
    *:clang) echo clang ;;
    apt:clang-runtime) echo libclang-rt-dev ;;
    apt:clang-tidy) echo clang-tidy ;;
    dnf:gcc) echo gcc libasan libubsan libtsan ;;
    *:gcc) echo gcc ;;
    *:make) echo make ;;
    *:patch) echo patch ;;
    pacman:python3) echo python ;;
    *:python3) echo python3 ;;
    apt:pkg-config) echo pkg-config ;;
    dnf:pkg-config) echo pkgconf-pkg-config ;;
    *:pkg-config) echo pkgconf ;;
    apt:ncursesw) echo libncurses-dev ;;
    dnf:ncursesw) echo ncurses-devel ;;
    *:ncursesw) echo ncurses ;;
    apt:sqlite3) echo libsqlite3-dev ;;
    dnf:sqlite3) echo sqlite-devel ;;
    *:sqlite3) echo sqlite ;;
    dnf:cmocka) echo libcmocka-devel ;;
    pacman:libutf8proc) echo libutf8proc ;;
    apt:*) echo "lib${2#lib}-dev" ;;  # readline openblas cjson utf8proc cmocka
    dnf:*) echo "${2#lib}-devel" ;;   # readline openblas cjson utf8proc
    *) echo "${2#lib}" ;;             # readline openblas cjson utf8proc cmocka
    esac
}

packages() { for part in $missing; do package "$1" "$part"; done | tr '\n' ' '; }

by_hand() {
    echo "pbkd: ${1}; missing:$missing" >&2
    echo "Install by hand:" >&2
    echo "  Debian, Ubuntu  apt-get install --no-install-recommends $(packages apt)" >&2
    echo "  Fedora          dnf install $(packages dnf)" >&2
    echo "  Arch            pacman -S $(packages pacman)" >&2
    echo "  Homebrew        brew install $(packages brew)" >&2
    exit 1
}

find_missing && exit 0

if have apt-get; then system=apt
elif have dnf; then system=dnf
elif have pacman; then system=pacman
elif have brew; then system=brew
else by_hand "unknown package manager"
fi

interactive=no
[ -t 0 ] && [ -t 1 ] && [ -z "${CI:-}" ] && interactive=yes

root=
if [ "$system" != brew ] && [ "$(id -u)" != 0 ]; then
    have sudo || by_hand "installing needs root, and there is no sudo"
    root=sudo
    # Without a terminal nobody could type a password: sudo has to work without one.
    [ $interactive = yes ] || sudo -n true 2>/dev/null || by_hand "installing needs root, and sudo asks for a password"
fi

names=$(packages $system)
if [ $interactive = yes ]; then
    printf 'pbkd needs these packages (%s): %s\nInstall them now? [Y/n] ' $system "$names"
    read -r answer || answer=n
    case $answer in "" | [yY]*) ;; *) by_hand "nothing was installed" ;; esac
else
    echo "pbkd: installing with $system: $names"
fi

case $system in
apt)
    # On a fresh system the package lists are empty. A failed update may still leave usable lists.
    set -- $root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0
    "$@" update || echo "pbkd: apt-get update failed, trying with the lists at hand" >&2
    "$@" install --no-install-recommends $names
    ;;
dnf) $root dnf -q -y install $names ;;
pacman) $root pacman -S --needed --noconfirm $names || $root pacman -Sy --needed --noconfirm $names ;;
brew) brew install $names ;;
esac || by_hand "$system failed"

hash -r
find_missing || by_hand "still missing after the installation"
