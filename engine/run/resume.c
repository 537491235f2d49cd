/* Checkpoints of a run, and going on from one: options and game as they were, rows made later forgotten, labels in
 * force applied again, and the rest of the journal made ready to be replayed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/strbuf.h"
#include "engine/formats/quant.h"
#include "engine/model/model_io.h"
#include "engine/run/session_private.h"

static char *checkpoint_state(struct session *s, struct err *e) {
    char *game = game_state_json(&s->game, e), *options = game ? options_to_json(&s->options, false) : NULL;
    struct strbuf b = {0};
    if (!game) return NULL;
    strbuf_printf(&b, "{\"journal_seq\":%lld,\"options\":%s,\"game\":%s}", (long long)s->last_journal_seq, options,
                  game);
    cJSON_free(game);
    free(options);
    return strbuf_take(&b);
}

bool session_write_checkpoint(struct session *s, struct err *e) {
    struct game_arrays a;
    struct checkpoint_file files[GAME_FILES];
    const double now = clock_seconds();
    s->game.st.seconds += now - s->began;
    s->began = now;
    game_arrays(&s->game, &a);
    for (int i = 0; i < a.n_files; i++) files[i] = (struct checkpoint_file){a.name[i], a.array[i], a.n[i]};
    char *state = checkpoint_state(s, e);
    const bool ok =
        state && checkpoint_write(&s->rd, s->game.st.tick, files, a.n_files, state, s->options.checkpoint_keep, e);
    free(state);
    game_arrays_free(&a);
    return ok;
}

bool session_save_student(struct session *s, struct err *e) {
    char path[4200];
    snprintf(path, sizeof path, "%s/student.gguf", s->rd.path);
    return model_save(s->game.players.student.model, s->game.players.tok, path, QUANT_F32, e);
}

/* What was journalled before the checkpoint and is not in it: labels in force, and settings that wait. */
static bool reapply(struct session *s, int64_t tick, int64_t seq, struct err *e) {
    struct journal_list all;
    if (!journal_load(&s->rd, -1, &all, e)) return false;
    bool ok = true;
    for (int i = 0; ok && i < all.n; i++) {
        const struct journal_entry *j = &all.entry[i];
        if (j->tick > tick || (j->tick == tick && j->seq > seq)) continue;
        ok = strcmp(j->kind, JOURNAL_LABEL) == 0 ? labels_replay(s, j, true, e) : settings_replay(s, j, true, e);
    }
    journal_list_free(&all);
    return ok;
}

/* Entries still ahead: later ticks, and those of the checkpoint's own tick that came after it. */
static bool load_replay(struct session *s, int64_t tick, int64_t seq, struct err *e) {
    if (!journal_load(&s->rd, tick - 1, &s->replay, e)) return false;
    while (s->replay_at < s->replay.n && s->replay.entry[s->replay_at].tick == tick &&
           s->replay.entry[s->replay_at].seq <= seq)
        s->replay_at++;
    return true;
}

static bool restore_from(struct session *s, const char *folder, const char *state, int64_t tick, struct err *e) {
    cJSON *root = json_parse(state, strlen(state), "checkpoint", e);
    if (!root) return false;
    double seq = 0;
    char *game = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(root, "game"));
    bool ok = json_get_number(root, "journal_seq", "checkpoint", &seq, e) &&
              (game || err_set(e, "checkpoint: \"game\" is missing")) && game_restore(&s->game, folder, game, e) &&
              rundir_truncate_after(&s->rd, tick - 1, e);
    cJSON_free(game);
    cJSON_Delete(root);
    s->last_journal_seq = (int64_t)seq;
    return ok && reapply(s, tick, (int64_t)seq, e) && load_replay(s, tick, (int64_t)seq, e);
}

static bool redraw_metric(void *ctx, int64_t tick, int iteration, const char *name, double value) {
    struct session *s = ctx;
    (void)iteration;
    const int id = metric_find(name);
    if (id >= 0) publisher_series(s, (enum metric_id)id, tick, value);
    return true;
}

/* Options at the checkpoint, before the game opens with them. */
static bool checkpoint_options(struct session *s, const char *state, struct err *e) {
    cJSON *root = json_parse(state, strlen(state), "checkpoint", e);
    char *text = root ? cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(root, "options")) : NULL;
    const bool ok = root && (text || err_set(e, "checkpoint: \"options\" is missing")) &&
                    options_from_json(&s->options, text, "checkpoint", e);
    cJSON_free(text);
    cJSON_Delete(root);
    return ok;
}

bool session_open_game(struct session *s, const struct game_observer *see, struct err *e) {
    bool found = false;
    int64_t tick = 0;
    char folder[4300], *state = NULL;
    bool ok = !s->resume || checkpoint_newest(&s->rd, &found, &tick, folder, sizeof folder, &state, e);
    if (ok && s->resume && !found)
        ok = dpref_create_tables(&s->rd.db, e) && outputs_create_table(&s->rd.db, e) &&
             db_exec(&s->rd.db, "DELETE FROM pair; DELETE FROM teacher_output;", e) &&
             rundir_truncate_after(&s->rd, -1, e);
    ok = ok && (!found || checkpoint_options(s, state, e));
    if (ok) s->game_is_open = ok = game_open(&s->game, &s->options, &s->rd.db, see, found, e);
    if (ok && found)
        ok = restore_from(s, folder, state, tick, e);
    else if (ok && s->resume)
        ok = load_replay(s, 0, 0, e);
    if (ok && s->resume) ok = metric_each(&s->rd, redraw_metric, s, e) && publisher_restore(s, tick, e);
    free(state);
    return ok;
}
