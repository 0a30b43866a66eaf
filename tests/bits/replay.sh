#!/bin/sh
# replay.sh - a journal written here gives the same bits in every kernel, here and on aarch64.
#
#     replay.sh BUILD PYTHON    celltapd writes a journal, tests/bits/replay.c replays it on both
#
# The other machine is qemu-user; its protobuf-c comes as a Debian package that is unpacked under
# BUILD and not installed.
set -eu
build=$1 python=$2
out=$build/bits/replay
mkdir -p "$out"

# Debian's arm64 packages of the protobuf-c library: its .a ends up under $out/arm64.
fetch()
{
    [ -z "$(find "$out/arm64" -name libprotobuf-c.a 2>/dev/null)" ] || return 0
    apt=$PWD/$out/apt
    mkdir -p "$apt/lists/partial" "$apt/archives/partial"
    options="-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64
             -o Dir::State::Lists=$apt/lists -o Dir::Cache=$apt -o Dir::State::status=/dev/null
             -o APT::Sandbox::User=root"
    # shellcheck disable=SC2086
    (cd "$apt" && apt-get $options update && apt-get $options download libprotobuf-c-dev)
    dpkg-deb -x "$apt"/libprotobuf-c-dev_*.deb "$out/arm64"
    rm -r "$apt"
}

# $1 = compiler, $2 = its machine's own flags for the AVX2 file, $3 = program, then where
# libprotobuf-c.a is looked for
compile()
{
    compiler=$1 avx2=$2 program=$3
    shift 3
    mkdir -p "$program.o"
    for source in tests/bits/replay.c lib/*/*.c "$build"/gen/lib/*/*.c; do
        extra=
        case $source in *kernel_avx2.c) extra=$avx2 ;; esac
        # shellcheck disable=SC2086
        "$compiler" -std=gnu11 -O2 -ffp-contract=off -fno-math-errno -D_GNU_SOURCE -I. \
            -I"$build/gen" -idirafter /usr/include $extra -c "$source" \
            -o "$program.o/$(echo "$source" | tr / _).o"
    done
    "$compiler" -static -o "$program" "$program.o"/*.o "$@" -lprotobuf-c -lm
}

run()
{
    name=$1 kernel=$2
    shift 2
    # shellcheck disable=SC2046
    CELLTAP_KERNEL=$kernel "$@" "$out/journal" $(cat "$out/ranges") >"$out/$name"
    echo "replay $name: $(wc -l <"$out/$name") tensors, $(md5sum <"$out/$name" | cut -c1-16)"
    if ! cmp "$out/$name" "$out/plain" || ! [ -s "$out/$name" ]; then
        echo "replay.sh: $name differs from plain, see $out" >&2
        exit 1
    fi
}

fetch
avx2=
[ "$(uname -m)" = x86_64 ] && avx2="-mavx2 -mfma"
compile cc "$avx2" "$out/here"
compile aarch64-linux-gnu-gcc "" "$out/there" \
    -L"$(dirname "$(find "$out/arm64" -name libprotobuf-c.a)")"
CELLTAP_BUILD=$build "$python" tests/bits/make_journal.py "$out/journal" >"$out/ranges"
run plain plain "$out/here"
if grep -q avx2 /proc/cpuinfo; then
    run avx2 avx2 "$out/here"
fi
run arm-plain plain qemu-aarch64 "$out/there"
run arm-neon neon qemu-aarch64 "$out/there"
