lib/kernel/kernel_plain.o: lib/kernel/kernel_plain.c \
 lib/kernel/kernel_fma.h lib/kernel/kernel_body.h lib/kernel/kernel.h \
 lib/kernel/kernel_functions.h lib/kernel/kernel_sums.h \
 lib/kernel/kernel_lstm.h lib/kernel/kernel_rows.h \
 lib/kernel/kernel_gru.h lib/kernel/kernel_reduce.h
lib/kernel/kernel_fma.h:
lib/kernel/kernel_body.h:
lib/kernel/kernel.h:
lib/kernel/kernel_functions.h:
lib/kernel/kernel_sums.h:
lib/kernel/kernel_lstm.h:
lib/kernel/kernel_rows.h:
lib/kernel/kernel_gru.h:
lib/kernel/kernel_reduce.h:
