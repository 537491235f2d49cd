/* Keys of a view through its table: see view.h. */
#include "views/view.h"

static int place_in_row(const struct view_key *k, int key) {
    for (int i = 0; i < VIEW_KEYS_A_ROW && k->key[i]; i++)
        if (k->key[i] == key) return i;
    return -1;
}

const struct view_key *view_key_find(const struct view_ops *v, int key) {
    for (const struct view_key *k = v->keys; k->key[0]; k++)
        if (place_in_row(k, key) >= 0) return k;
    return NULL;
}

int view_press(const struct view_ops *v, void *state, int key, const struct snapshot *s, struct actions *act) {
    const struct view_key *k = view_key_find(v, key);
    if (k && k->press) return k->press(state, key, s, act);
    return v->other_key ? v->other_key(state, key, s, act) : REACT_UNHANDLED;
}

const struct label_vote *view_key_vote(const struct view_key *k, int key) {
    const int at = k && k->vote ? place_in_row(k, key) : -1;
    return at >= 0 ? &k->vote[at] : NULL;
}
