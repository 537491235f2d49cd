/* The line on the message row, key by key: what it edits, and that no key does anything but edit it. readline's state
 * is global and reads a person's inputrc once, so each check runs in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "tui/prompt.h"
#include "views/view.h"

static bool some_words(void *ctx, const char *line, int start, const char *word,
                       void (*add)(void *to, const char *candidate), void *to) {
    (void)ctx, (void)line, (void)word;
    static const char *const words[] = {"set", "save-screen", "source", "beta", "zeta"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) add(to, words[i]);
    return start > 8; /* file names */
}

/* Run a check in a child with the given inputrc; it must end by itself with status 0. */
static void apart(const char *inputrc, void (*check)(struct prompt *p)) {
    char path[] = "/tmp/pbkd-inputrc-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, inputrc, strlen(inputrc)), (ssize_t)strlen(inputrc));
    close(fd);
    const pid_t pid = fork();
    if (pid == 0) {
        for (int sig = 1; sig < NSIG; sig++) signal(sig, SIG_DFL); /* cmocka's handlers are the parent's */
        setenv("INPUTRC", path, 1);
        struct prompt *p = prompt_new(NULL, some_words, NULL, NULL);
        check(p);
        prompt_free(p);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    unlink(path);
    if (status)
        fail_msg("the check ended with %s %d", WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* In the child: cmocka's assertions belong to the parent. */
static void must(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    _exit(1);
}

static enum prompt_result press_all(struct prompt *p, const char *keys) {
    enum prompt_result r = PROMPT_GOES_ON;
    for (; *keys && r == PROMPT_GOES_ON; keys++)
        r = prompt_key(p,
                       *keys == '\r' ? KEY_ENTER_
                       : *keys == 27 ? KEY_ESCAPE
                                     : *keys,
                       keys[0] == 27 ? keys[1] : KEY_CODE_NONE);
    return r;
}

/* Type on an empty line and accept it: the line must be as given. */
static void gives(struct prompt *p, enum prompt_kind kind, const char *keys, const char *line) {
    prompt_open(p, kind, NULL);
    must(press_all(p, keys) == PROMPT_GOES_ON, "the line stays open");
    must(prompt_key(p, KEY_ENTER_, KEY_CODE_NONE) == PROMPT_ACCEPTED, "Enter accepts");
    if (strcmp(prompt_text(p), line) != 0) fprintf(stderr, "got \"%s\"\n", prompt_text(p));
    must(strcmp(prompt_text(p), line) == 0, line);
}

/* readline 8.2 takes a null pointer for its search after ^R b ^X >, and after ^S. */
static void no_search(struct prompt *p) {
    for (int kind = PROMPT_COMMAND; kind <= PROMPT_FILTER; kind++) {
        gives(p, (enum prompt_kind)kind, "a\022b\030>c", "ab>c");
        gives(p, (enum prompt_kind)kind, "a\023b\030>c", "ab>c");
    }
}

static void nothing_but_editing(struct prompt *p) {
    gives(p, PROMPT_COMMAND, "ab\030\177c", "ac");            /* ^X BS would take the whole line */
    gives(p, PROMPT_COMMAND, "ab\026c", "abc");               /* ^V: no control characters in a line */
    gives(p, PROMPT_COMMAND, "ab\017c", "abc");               /* ^O would accept it */
    gives(p, PROMPT_COMMAND, "ab\032\034c", "abc");           /* ^Z ^\: keys of the whole screen */
    gives(p, PROMPT_COMMAND, "abc d\001x\005y", "xabc dy");   /* ^A ^E */
    gives(p, PROMPT_COMMAND, "ab cd\027e", "ab e");           /* ^W */
    gives(p, PROMPT_COMMAND, "ab cd\033bx\033fy", "ab xcdy"); /* Alt-b Alt-f */
    gives(p, PROMPT_COMMAND, "ab\025c\031", "cab");           /* ^U ^Y */
}

static void the_bindings_of_a_person(struct prompt *p) {
    gives(p, PROMPT_COMMAND, "ab\002c\016d", "cabd"); /* ^B ^N */
    gives(p, PROMPT_COMMAND, "ab\013c", "abc");       /* ^K: a macro */
    gives(p, PROMPT_COMMAND, "ab\024c", "abc");       /* ^T: a sequence on a key other than Esc */
}

/* A cancelled line leaves nothing behind, also when lines of the history were edited on the way. */
static void cancelled_lines(struct prompt *p) {
    gives(p, PROMPT_COMMAND, "first", "first");
    for (int i = 0; i < 3; i++) {
        prompt_open(p, PROMPT_COMMAND, NULL);
        press_all(p, "new");
        prompt_key(p, KEY_UP_, KEY_CODE_NONE);
        press_all(p, "x");
        prompt_key(p, KEY_UP_, KEY_CODE_NONE);
        if (i == 1) prompt_key(p, KEY_DOWN_, KEY_CODE_NONE);
        must(prompt_key(p, KEY_ESCAPE, KEY_CODE_NONE) == PROMPT_CANCELLED, "Esc cancels");
        must(prompt_text(p)[0] == '\0', "no line is left");
    }
    prompt_open(p, PROMPT_COMMAND, NULL);
    prompt_key(p, KEY_UP_, KEY_CODE_NONE);
    must(strcmp(prompt_text(p), "first") == 0, "the history is as it was");
}

/* A paste of a megabyte takes no longer to draw than a short line: this checks that it comes to an end. */
static void a_long_line(struct prompt *p) {
    struct canvas c;
    canvas_init(&c, 1, 40, GLYPHS_ASCII);
    alarm(60);
    prompt_open(p, PROMPT_COMMAND, NULL);
    for (int i = 0; i < 1000000; i++) prompt_key(p, "0123456789"[i % 10], KEY_CODE_NONE);
    must(prompt_draw(p, canvas_area(&c)) == 38, "the cursor stands near the end of the row");
    char *dump = canvas_dump(&c, false);
    must(strcmp(dump, "<3456789012345678901234567890123456789\n") == 0, dump);
    free(dump);
    canvas_free(&c);
}

/* Whatever is typed: no crash, and a line that can be left. */
static void any_keys(struct prompt *p) {
    static const int special[] = {KEY_UP_,    KEY_DOWN_,  KEY_LEFT_,      KEY_RIGHT_,  KEY_HOME_, KEY_END_, KEY_TAB,
                                  KEY_ENTER_, KEY_ESCAPE, KEY_BACKSPACE_, KEY_DELETE_, KEY_TAB,   0xE9,     0x65E5};
    enum { N_SPECIAL = sizeof special / sizeof special[0], KEYS = 60000 };
    struct canvas c;
    canvas_init(&c, 1, 80, GLYPHS_ASCII);
    alarm(120); /* a key that waits for another one for ever */
    int next = 'a';
    for (uint64_t i = 0; i < KEYS; i++) {
        const uint64_t r = rng_u64(1, RNG_TEST, 0, i);
        const int key = next;
        if (!prompt_is_open(p)) prompt_open(p, (enum prompt_kind)(r % 3), r % 7 ? NULL : "set beta ");
        /* half of them control characters, where the commands are */
        next = r >> 63         ? 1 + (int)(r >> 8) % 31
               : (r >> 60) % 4 ? 32 + (int)((r >> 8) % 95)
                               : special[(r >> 8) % N_SPECIAL];
        prompt_key(p, key, next);
        if (i % 64 == 0) prompt_draw(p, canvas_area(&c));
    }
    if (!prompt_is_open(p)) prompt_open(p, PROMPT_COMMAND, NULL);
    must(prompt_key(p, KEY_CTRL('c'), KEY_CODE_NONE) == PROMPT_CANCELLED, "^C leaves the line");
    gives(p, PROMPT_COMMAND, "ab", "ab");
    canvas_free(&c);
}

static void searches_are_left_out(void **state) {
    (void)state;
    apart("", no_search);
}

static void keys_only_edit(void **state) {
    (void)state;
    apart("", nothing_but_editing);
}

static void cancelling(void **state) {
    (void)state;
    apart("", cancelled_lines);
}

static void long_lines(void **state) {
    (void)state;
    apart("", a_long_line);
}

static void keys_of_a_person(void **state) {
    (void)state;
    apart("\"\\C-b\": beginning-of-line\n\"\\C-n\": end-of-line\n\"\\C-k\": \"macro\"\n\"\\C-ta\": end-of-line\n",
          the_bindings_of_a_person);
}

static void random_keys(void **state) {
    (void)state;
    apart("", any_keys);
}

static void random_keys_for_vi(void **state) {
    (void)state;
    apart("set editing-mode vi\n", any_keys);
}

/* What a person bound to functions, macros and sequences beyond the default. */
static void random_keys_on_a_full_inputrc(void **state) {
    (void)state;
    apart("\"\\C-a\": reverse-search-history\n\"\\C-b\": dump-functions\n\"\\C-d\": \"\\C-e\\C-d\"\n"
          "\"\\C-e\": re-read-init-file\n\"\\C-f\": vi-editing-mode\n\"\\C-k\": start-kbd-macro\n"
          "\"\\C-l\": call-last-kbd-macro\n\"\\C-n\": history-search-forward\n\"\\C-o\": menu-complete\n"
          "\"\\C-p\": history-search-backward\n\"\\C-qa\": insert-comment\n\"\\C-t\": universal-argument\n"
          "\"\\C-u\": non-incremental-reverse-search-history\n\"\\C-y\": digit-argument\n\"x\": clear-screen\n",
          any_keys);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_are_left_out),
        cmocka_unit_test(keys_only_edit),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(keys_of_a_person),
        cmocka_unit_test(random_keys),
        cmocka_unit_test(random_keys_for_vi),
        cmocka_unit_test(random_keys_on_a_full_inputrc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
