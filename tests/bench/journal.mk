# journal.mk - what the journal costs, and how fast the past comes back.

.PHONY: bench-journal
bench-journal: all $(BUILD)/tests/bench/step $(BUILD)/tests/bench/e2e ## what the journal costs, recovery, replay
	@.ci/deps $(BENCH_DEPS)
	@CELLTAP_BUILD=$(BUILD) $(PYTHON) tests/bench/journal.py
