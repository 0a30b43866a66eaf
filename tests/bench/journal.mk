# journal.mk - what the journal costs, and how fast the past comes back.

.PHONY: bench-journal
bench-journal: all ## throughput with a journal, recovery and replay against stepping alone
	@CELLTAP_BUILD=$(BUILD) $(PYTHON) tests/bench/journal.py
