# pbkd: build, test, install. `make help` lists the targets.
#
# One rule compiles everything: layers are folders, objects mirror them under build/<variant>/. Release and development
# variants differ in flags only. Library flags come from pkg-config, so that every system finds its own.

PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
VARIANT ?= release
BUILD   := build/$(VARIANT)

PKGS    := ncursesw readline openblas libcjson sqlite3 libutf8proc
SHELL   := /bin/bash
.SHELLFLAGS := -o pipefail -c

WARN    := -Wall -Wextra -Wconversion -Wshadow -Wno-sign-conversion
STD     := -std=c17 -D_GNU_SOURCE -I.
FLAGS_release  := -O3 -g -ffp-contract=off -fno-math-errno
FLAGS_debug    := -O1 -g3 -Werror -ffp-contract=off
FLAGS_asan     := -O1 -g -Werror -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -ffp-contract=off
FLAGS_tsan     := -O1 -g -Werror -fsanitize=thread -ffp-contract=off

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
CFLAGS  := $(STD) $(WARN) $(FLAGS_$(VARIANT)) $(PKG_CFLAGS) -MMD -MP -pthread $(EXTRA_CFLAGS)
LDFLAGS := $(FLAGS_$(VARIANT)) -pthread
LDLIBS  := $(PKG_LIBS) -lm

ENGINE_SRC := $(sort $(wildcard engine/*/*.c))
UI_SRC     := $(sort $(wildcard views/*.c tui/*.c tui/verbs/*.c))
LIB_SRC    := $(ENGINE_SRC) $(filter-out tui/main.c,$(UI_SRC))
LIB_OBJ    := $(LIB_SRC:%.c=$(BUILD)/%.o)
TEST_SRC   := $(sort $(wildcard tests/unit/test_*.c tests/screens/test_*.c tests/fault/test_*.c))
TEST_BIN   := $(TEST_SRC:%.c=$(BUILD)/%)
HELPER_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/support/*.c)))

.PHONY: all
all: deps-check pbkd

pbkd: $(BUILD)/pbkd
	@cp -f $< $@

$(BUILD)/pbkd: $(BUILD)/tui/main.o $(BUILD)/libpbkd.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/libpbkd.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

$(TEST_BIN): $(BUILD)/%: $(BUILD)/%.o $(HELPER_OBJ) $(BUILD)/libpbkd.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(shell pkg-config --libs cmocka)

-include $(shell find build -name '*.d' 2>/dev/null)
