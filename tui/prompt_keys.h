/* Which of readline's commands a key may reach at the prompt. */
#ifndef PBKD_TUI_PROMPT_KEYS_H
#define PBKD_TUI_PROMPT_KEYS_H

/* After rl_initialize has bound its defaults and what a person's inputrc says: take every binding away that does more
 * than edit the line. What stays may lie on other keys than by default; vi mode goes. ^G calls end_line. */
void prompt_keys_restrict(int (*end_line)(int count, int key));

#endif
