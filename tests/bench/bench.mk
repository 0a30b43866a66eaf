# bench.mk - programs that measure, and the table of all cases.

BENCH_BIN := $(patsubst %,$(BUILD)/tests/bench/%,step detector machine \
             $(if $(wildcard /usr/include/dnnl.h),peer_onednn))
BENCH_DEPS := $(DEMO_DEPS) python3-onnx
SECONDS ?= 2

# What this machine can do at most is measured with all that it has.
$(BUILD)/tests/bench/machine.o: ALL_CFLAGS += -march=native -ffp-contract=fast

$(BUILD)/tests/bench/machine: $(BUILD)/tests/bench/machine.o $(BUILD)/tests/bench/clock.o
	$(call say,LINK)$(CC) $(OPT) -o $@ $^

$(BUILD)/tests/bench/step $(BUILD)/tests/bench/detector: $(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/tests/bench/clock.o $(LIB_A)
	$(call say,LINK)$(CC) $(OPT) $(CFLAGS) -o $@ $^ $(LIB_LIBS)

$(BUILD)/tests/bench/peer_onednn: $(BUILD)/tests/bench/peer_onednn.o $(BUILD)/tests/bench/clock.o
	$(call say,LINK)$(CC) $(OPT) -o $@ $^ -ldnnl

.PHONY: bench
bench: all $(BENCH_BIN) ## ns per timestep beside this machine's limit and beside peers
	@.ci/deps $(BENCH_DEPS)
	@taskset -c 0 $(PYTHON) tests/bench/bench.py --build $(BUILD) --seconds $(SECONDS)

# ---- end to end --------------------------------------------------------------------------------

E2E_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/e2e*.c)) $(BUILD)/tests/bench/clock.o \
           $(BUILD)/daemon/sock_tasks.o $(BUILD)/daemon/slice.o

$(BUILD)/tests/bench/e2e: $(E2E_OBJ) $(LIB_A)
	$(call say,LINK)$(CC) $(OPT) $(CFLAGS) -o $@ $^ $(LIB_LIBS) -lnng -lpthread

.PHONY: bench-e2e
bench-e2e: all $(BUILD)/tests/bench/e2e ## frames/s and latency through the daemon, beside a Python stack
	@.ci/deps $(BENCH_DEPS)
	@$(PYTHON) tests/bench/e2e.py --build $(BUILD)
