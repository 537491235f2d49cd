/* Chat templates: how a prompt is dressed before a model sees it. Known by recognition (a template is untrusted text,
 * so it is never executed): `raw` and `chatml` for now; anything else is refused with the name of what was seen. */
#ifndef PBKD_TEXT_CHAT_H
#define PBKD_TEXT_CHAT_H

#include "engine/text/tokenizer.h"

enum chat_kind { CHAT_RAW, CHAT_CHATML };

/* "raw", "chatml" or "auto" (by the tokenizer's template: <|im_start|> means chatml, none means raw; else an error). */
bool chat_kind_parse(const char *name, const struct tokenizer *t, enum chat_kind *out, struct err *e);
const char *chat_kind_name(enum chat_kind k);

/* Append the tokens of one user turn up to where the answer starts. `system` NULL = the template's own default, "" =
 * none. raw: bos if the tokenizer asks for it, prompt, newline. chatml: <|im_start|>system..., user,
 * <|im_start|>assistant\n. Only the template's own text is parsed for specials; system and prompt are plain text. */
bool chat_encode_prompt(struct tokenizer *t, enum chat_kind kind, const char *system, const char *prompt,
                        struct token_list *out, struct err *e);
/* Append the tokens of an answer, closed by the end-of-turn token. */
void chat_encode_response(struct tokenizer *t, enum chat_kind kind, const char *response, struct token_list *out);

#endif
