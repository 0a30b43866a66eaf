#!/bin/sh
# compare.sh - the same bits here and on aarch64, in every kernel.
#
#     compare.sh BUILD N    builds tests/bits/bits.c for both machines, runs each kernel of each
#                           on N random cells, all functions and a watched network, and compares what
#                           they print
#
# With AVX2 every cell is also stepped in panels of all widths from 1 to 64, with the plain kernel
# here every eighth, there every sixteenth.  All of it takes three minutes.
# The cross compiler is Debian's gcc-aarch64-linux-gnu, the other machine qemu-user.
set -eu
build=$1 n=$2
out=$build/bits
sources="tests/bits/bits.c tests/bits/scores.c tests/support/rig.c tests/support/shapes.c
         lib/base/alloc.c lib/kernel/*.c lib/cell/*.c lib/stream/*.c lib/detect/*.c"
flags="-std=gnu11 -O2 -ffp-contract=off -fno-math-errno -D_GNU_SOURCE -I."
mkdir -p "$out"

# $1 = compiler, $2 = its machine's own flags for the AVX2 file, $3 = program
compile()
{
    mkdir -p "$3.o"
    for source in $sources; do
        extra=
        case $source in *kernel_avx2.c) extra=$2 ;; esac
        # shellcheck disable=SC2086
        "$1" $flags $extra -c "$source" -o "$3.o/$(echo "$source" | tr / _).o"
    done
    "$1" -static -o "$3" "$3.o"/*.o -lm
}

# run NAME KERNEL EVERY PROGRAM..
run()
{
    name=$1 kernel=$2 every=$3
    shift 3
    if ! CELLTAP_KERNEL=$kernel "$@" "$n" "$every" >"$out/$name" 2>"$out/$name.kernel"; then
        echo "compare.sh: $name: $(tail -n 1 "$out/$name.kernel")" >&2
        exit 1
    fi
    echo "$name: $(cat "$out/$name.kernel"), $(md5sum <"$out/$name" | cut -c1-16)"
    if ! grep -qx "kernel: $kernel" "$out/$name.kernel"; then
        echo "compare.sh: $name did not run the kernel $kernel" >&2
        exit 1
    fi
    if ! cmp "$out/$name" "$out/plain"; then
        echo "compare.sh: $name differs from plain, see $out" >&2
        exit 1
    fi
}

avx2=
[ "$(uname -m)" = x86_64 ] && avx2="-mavx2 -mfma"
compile cc "$avx2" "$out/here"
run plain plain 8 "$out/here"
if grep -q avx2 /proc/cpuinfo; then
    run avx2 avx2 1 "$out/here"
fi
compile aarch64-linux-gnu-gcc "" "$out/there"
run arm-plain plain 16 qemu-aarch64 "$out/there"
run arm-neon neon 16 qemu-aarch64 "$out/there"
