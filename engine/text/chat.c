/* Chat templates by recognition. The template of a file is a program in a template language; running one from an
 * untrusted file needs bounds that are not worth having for two formats, so it is searched for the marks it uses
 * instead.
 *
 * Each stretch of text between special tokens is encoded as one string ("user\n" + prompt), because that is what a
 * template engine hands to the tokenizer and the cut into pieces depends on it. */
#include "engine/text/chat.h"

#include <string.h>

#include "engine/base/strbuf.h"

#define MARK_START "<|im_start|>"
#define MARK_END "<|im_end|>"

const char *chat_kind_name(enum chat_kind k) { return k == CHAT_CHATML ? "chatml" : "raw"; }

static bool has_chatml_marks(const struct tokenizer *t, struct err *e) {
    static const char *const mark[] = {MARK_START, MARK_END};
    for (int i = 0; i < 2; i++)
        if (tokenizer_find(t, mark[i]) < 0)
            return err_set(e, "chat template chatml needs the token %s, which this vocabulary lacks", mark[i]);
    return true;
}

/* What a template looks like, for the message that refuses it. */
static const char *seen_in(const char *template) {
    static const struct {
        const char *mark, *name;
    } known[] = {{"[INST]", "llama2/mistral ([INST])"},
                 {"<start_of_turn>", "gemma (<start_of_turn>)"},
                 {"<|start_header_id|>", "llama3 (<|start_header_id|>)"},
                 {"<|user|>", "zephyr (<|user|>)"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strstr(template, known[i].mark)) return known[i].name;
    return "an unknown format";
}

bool chat_kind_parse(const char *name, const struct tokenizer *t, enum chat_kind *out, struct err *e) {
    const char *template = tokenizer_chat_template(t);
    enum chat_kind k = CHAT_RAW;
    if (strcmp(name, "chatml") == 0)
        k = CHAT_CHATML;
    else if (strcmp(name, "auto") == 0 && strstr(template, MARK_START))
        k = CHAT_CHATML;
    else if (strcmp(name, "auto") == 0 && template[0])
        return err_set(e, "the model's chat template is %s; raw and chatml are supported", seen_in(template));
    else if (strcmp(name, "raw") != 0 && strcmp(name, "auto") != 0)
        return err_set(e, "unknown chat template \"%s\" (raw, chatml or auto)", name);
    if (k == CHAT_CHATML && !has_chatml_marks(t, e)) return false;
    *out = k;
    return true;
}

/* The system message a chatml template puts in by itself: a literal between "<|im_start|>system" and "<|im_end|>".
 * Anything with template syntax in between is the message of the caller, not a default. Written "\n" in the template's
 * literals. */
static bool default_system(const char *template, struct strbuf *out) {
    static const char open[] = MARK_START "system";
    for (const char *p = strstr(template, open); p; p = strstr(p + 1, open)) {
        const char *s = p + strlen(open);
        if (s[0] == '\n')
            s += 1;
        else if (s[0] == '\\' && s[1] == 'n')
            s += 2;
        else
            continue;
        const char *end = strstr(s, MARK_END);
        if (!end || strcspn(s, "{}'\"+") < (size_t)(end - s)) continue;
        for (; s < end; s++) {
            bool newline = s[0] == '\\' && s[1] == 'n';
            strbuf_putc(out, newline ? '\n' : *s);
            s += newline;
        }
        return out->len > 0;
    }
    return false;
}

static void add_text(struct tokenizer *t, const char *head, const char *text, struct token_list *out) {
    struct strbuf b = {0};
    strbuf_puts(&b, head);
    strbuf_puts(&b, text);
    tokenizer_encode(t, strbuf_str(&b), b.len, false, out);
    strbuf_free(&b);
}

static void add_turn(struct tokenizer *t, const char *role_line, const char *text, struct token_list *out) {
    token_list_add(out, tokenizer_find(t, MARK_START));
    add_text(t, role_line, text, out);
    token_list_add(out, tokenizer_find(t, MARK_END));
    add_text(t, "\n", "", out);
}

bool chat_encode_prompt(struct tokenizer *t, enum chat_kind kind, const char *system, const char *prompt,
                        struct token_list *out, struct err *e) {
    if (kind == CHAT_RAW) {
        if (tokenizer_add_bos(t)) token_list_add(out, tokenizer_bos(t));
        add_text(t, prompt, "\n", out);
        return true;
    }
    if (!has_chatml_marks(t, e)) return false;
    const char *template = tokenizer_chat_template(t);
    /* In chatml the template decides about bos, not the tokenizer: it writes bos_token where one belongs. */
    if (strstr(template, "bos_token") && tokenizer_bos(t) >= 0) token_list_add(out, tokenizer_bos(t));
    struct strbuf standard = {0};
    if (!system && default_system(template, &standard)) system = standard.s;
    if (system && system[0]) add_turn(t, "system\n", system, out);
    strbuf_free(&standard);
    add_turn(t, "user\n", prompt, out);
    token_list_add(out, tokenizer_find(t, MARK_START));
    add_text(t, "assistant\n", "", out);
    return true;
}

void chat_encode_response(struct tokenizer *t, enum chat_kind kind, const char *response, struct token_list *out) {
    add_text(t, response, "", out);
    int32_t end = kind == CHAT_CHATML ? tokenizer_find(t, MARK_END) : -1;
    token_list_add(out, end >= 0 ? end : tokenizer_eos(t));
}
