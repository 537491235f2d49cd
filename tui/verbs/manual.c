/* pbkd manual: the reference, from the program's own tables. */
#include "tui/manual.h"
#include "tui/safe_text.h"
#include "tui/verbs.h"

static int manual(const struct args *a) {
    if (args_given(a, "--man") && args_given(a, "--markdown"))
        return verb_usage("manual", "--man and --markdown are two formats: choose one");
    struct strbuf b = {0};
    if (args_given(a, "--man"))
        manual_man(&b);
    else
        manual_markdown(&b);
    safe_lines(stdout, strbuf_str(&b));
    strbuf_free(&b);
    return EXIT_DONE;
}

static const struct arg_spec ARGS[] = {
    {"--man", NULL, ARG_FLAG, 0, 0, NULL, "the whole page for man(1)"},
    {"--markdown", NULL, ARG_FLAG, 0, 0, NULL, "the reference part of MANUAL.md; this is what comes without a flag"},
    {0}};
const struct verb verb_manual = {
    .name = "manual",
    .arguments = "",
    .help = "print the reference: verbs, keys, commands, options, metrics",
    .details = "Everything stands there as this program has it. To read it as a page: `pbkd manual --man | man -l -`.",
    .args = ARGS,
    .run = manual,
};
