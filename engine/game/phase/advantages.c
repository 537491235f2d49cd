/* Leave-one-out advantages: see advantages.h. */
#include "engine/game/phase/advantages.h"

#include <math.h>

/* Leave-one-out advantages from rewards, in place: A_k = r_k - mean of the others. */
static void leave_one_out(struct game *g, double *r, int n, int k) {
    for (int i = 0; i < n; i++) {
        double sum = 0, spread = 0;
        for (int j = 0; j < k; j++) sum += r[i * k + j];
        for (int j = 0; j < k; j++) spread += fabs(r[i * k + j] - sum / k);
        g->st.groups++;
        if (spread == 0) g->st.zero_groups++;
        for (int j = 0; j < k; j++) r[i * k + j] -= k > 1 ? (sum - r[i * k + j]) / (k - 1) : sum;
    }
}

void advantages_whole(struct game *g, const struct gen_output *y, int n, int k, double *r, double *advantage) {
    for (int i = 0; i < n * k; i++)
        if (y[i].truncated) r[i] -= g->o->game_truncation_penalty;
    leave_one_out(g, r, n, k);
    for (int i = 0, h = 0; i < n * k; i++)
        for (int j = 0; j < y[i].n; j++) advantage[h++] = r[i];
}

void advantages_to_go(const struct game *g, const struct sequences *s, const struct gen_output *y, int n, int k,
                      bool after, double *advantage) {
    const struct reward *reward = g->adversary.reward;
    for (int i = 0; i < n * k; i++) {
        double sum = y[i].truncated ? -g->o->game_truncation_penalty : 0.0;
        for (int h = s->row_start[i + 1] - 1; h >= s->row_start[i]; h--) {
            const double beyond = sum;
            sum += (double)reward->scale * (double)reward->t.row_value[h];
            advantage[h] = after ? beyond : sum;
        }
    }
    for (int i = 0; i < n; i++) {
        const int *start = s->row_start + (size_t)i * (size_t)k;
        bool any = true;
        for (int h = 0; any; h++) {
            double sum = 0;
            any = false;
            for (int j = 0; j < k; j++)
                if (start[j] + h < start[j + 1]) sum += advantage[start[j] + h];
            for (int j = 0; j < k; j++) {
                if (start[j] + h >= start[j + 1]) continue;
                any = true;
                if (k > 1) advantage[start[j] + h] -= (sum - advantage[start[j] + h]) / (k - 1);
            }
        }
    }
}
