/* Inside the Label view: its state, and drawing apart from voting. */
#ifndef PBKD_VIEWS_LABEL_H
#define PBKD_VIEWS_LABEL_H

#include "views/view.h"

enum label_pane { PANE_PROMPT, PANE_A, PANE_B, N_PANES };
enum label_edit { EDIT_NONE, EDIT_NOTE, EDIT_ANSWER };

struct labelled_pair { /* a copy: the pair may leave the snapshot while a person reads it */
    int64_t id;        /* 0: none */
    uint64_t hash;
    int iteration;
    bool heldout;
    char *prompt, *text[2]; /* owned; 0 teacher, 1 student */
    const char *name[2];    /* answer_name of the two; static */
    bool truncated[2];
    double reward[2];
    int left; /* which of the two is A */
};

struct finished { /* a pair this session is done with */
    int64_t id;
    bool event_seen; /* the snapshot has shown its label: when that goes away again, the label was undone */
};

struct label_view {
    struct labelled_pair pair, previous;
    unsigned char *seen[2]; /* per byte of pair.text: it was on the screen */
    double shown_at;        /* of the pair's first frame; < 0: not drawn yet */
    int queue;              /* pairs that could be asked after this one */
    struct finished *finished;
    int n_finished;
    uint64_t showings;
    int top[N_PANES], page[N_PANES], lines[N_PANES];
    enum label_pane focus;
    bool diff, reveal;
    enum label_edit edit;
    /* the previous vote */
    enum decision decision;
    const char *said; /* in words; static */
    int64_t seq;
    char *written; /* the text of a DECISION_EDIT, owned */
    bool undone;   /* it was taken back since */
    /* against auto-repeat */
    int last_key;
    double last_key_at;
    /* meters */
    double first_vote_at;
    int n_votes, n_left, n_compared, n_agreed;
};

/* Texts behind A (0) and B (1), as indices of labelled_pair.text. */
int label_side(const struct labelled_pair *p, int shown_as);
/* Share of a text that was on the screen, blanks aside. */
double label_seen(const struct label_view *v, int side);
/* The agreement of a decision with the reward: 1 agrees, 0 differs, -1 nothing to compare. */
int label_agrees(const struct labelled_pair *p, enum decision d);

void label_draw(struct label_view *v, struct area a, const struct snapshot *s, const struct actions *act);

#endif
