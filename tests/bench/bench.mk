# bench.mk - programs that measure, and the table of all cases.

BENCH_BIN := $(patsubst %,$(BUILD)/tests/bench/%,step machine \
             $(if $(wildcard /usr/include/dnnl.h),peer_onednn))
SECONDS ?= 2

# What this machine can do at most is measured with all that it has.
$(BUILD)/tests/bench/machine.o: ALL_CFLAGS += -march=native -ffp-contract=fast

$(BUILD)/tests/bench/machine: $(BUILD)/tests/bench/machine.o $(BUILD)/tests/bench/clock.o
	$(call say,LINK)$(CC) $(OPT) -o $@ $^

$(BUILD)/tests/bench/step: $(BUILD)/tests/bench/step.o $(BUILD)/tests/bench/clock.o $(LIB_A)
	$(call say,LINK)$(CC) $(OPT) $(CFLAGS) -o $@ $^ $(LIB_LIBS)

$(BUILD)/tests/bench/peer_onednn: $(BUILD)/tests/bench/peer_onednn.o $(BUILD)/tests/bench/clock.o
	$(call say,LINK)$(CC) $(OPT) -o $@ $^ -ldnnl

.PHONY: bench
bench: all $(BENCH_BIN) ## ns per timestep beside this machine's limit and beside peers
	@taskset -c 0 $(PYTHON) tests/bench/bench.py --build $(BUILD) --seconds $(SECONDS)
