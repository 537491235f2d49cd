/* An answer with what the reward thinks of each of its tokens: white-box the advantage A_Q(s,a) over the teacher, else
 * r(s,a). */
#ifndef PBKD_VIEWS_TOKEN_TEXT_H
#define PBKD_VIEWS_TOKEN_TEXT_H

#include "engine/run/snapshot.h"
#include "views/styled.h"

/* The largest |reward| of a token of both answers: what stands out in one answer is measured by both. 0: no token is
 * judged. */
double token_text_top(const struct shown_pair *p);
/* Append text, tokens in favour of the answer bold and those against it underlined, beside their colours, from a fifth
 * of `top` on; then a line that says which speak against it most, with figures. Without tokens the text is plain. */
void token_text_add(struct styled *t, const char *text, const struct shown_tokens *tokens, double top);

#endif
